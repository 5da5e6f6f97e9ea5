# For the scripts of the tests: run(<command>...) shows what the command prints, and ends the script if it fails.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " line)
    message(FATAL_ERROR "${result}: ${line}")
  endif()
endfunction()

# The same for a compiler: what it prints, be it only a note, is a failure.
function(run_silently)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0 OR NOT output STREQUAL "")
    list(JOIN ARGV " " line)
    message(FATAL_ERROR "${result}: ${line}\n${output}")
  endif()
endfunction()
