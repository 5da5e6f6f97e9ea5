# For the scripts of the tests: run(<command>...) shows what the command prints, and ends the script if it fails.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " line)
    message(FATAL_ERROR "${result}: ${line}")
  endif()
endfunction()
