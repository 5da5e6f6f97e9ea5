# Interrupted by Ctrl-C in the middle of a training and continued: status 130, a hint, and then the very same results.
# What was trained is neither overwritten by accident nor trained twice.
source "$(dirname "$0")/common.sh"

run=("$program" "${tiny[@]}" --generate 60 --epochs 150 --seeds 1 --methods ce,sage)
results() { cut -d, -f1-10 "$1/results.csv"; cat "$1/curves.csv"; }  # all but the times

# interrupted <folder> <argument>...: stopped by Ctrl-C in the second training
interrupted() {
  local job status=0
  : >"$folder/out"
  "${run[@]}" --output "$@" >>"$folder/out" 2>&1 &
  job=$!
  until grep -q '1/2 ce .*accuracy' "$folder/out"; do kill -0 $job || fail "$(cat "$folder/out")"; done
  kill -INT $job
  wait $job || status=$?
  [[ $status == 130 ]] || fail "status $status instead of 130: $(cat "$folder/out")"
  grep -q -- "--output $1 --resume" "$folder/out" || fail "no hint how to resume: $(cat "$folder/out")"
  [[ $(ls "$1") == checkpoint.bin ]] || fail "more than a checkpoint: $(ls "$1")"
}

"${run[@]}" --output "$folder/whole" >/dev/null
interrupted "$folder/parts"

# It is neither overwritten by accident, nor continued with other settings, nor trusted when damaged.
refused() { local status=0; "${@:2}" >"$folder/out" 2>&1 || status=$?; [[ $status == 2 ]] && grep -q -- "$1" "$folder/out" || fail "$(cat "$folder/out")"; }
refused "an unfinished training is kept here" "${run[@]}" --output "$folder/parts"
refused "margin 0.5 there, margin 2 here" "${run[@]}" --output "$folder/parts" --resume --margin 2
cp -r "$folder/parts" "$folder/damaged"
truncate -s -7 "$folder/damaged/checkpoint.bin"
refused "this checkpoint is damaged; --restart replaces it" "${run[@]}" --output "$folder/damaged" --resume
refused "this checkpoint is damaged; --restart replaces it" "${run[@]}" --output "$folder/damaged"
"$program" "${tiny[@]}" --generate 60 --epochs 1 --seeds 1 --methods ce --output "$folder/damaged" --restart >"$folder/out"
grep -q "^ce,1,1," "$folder/damaged/results.csv" || fail "$(cat "$folder/out")"

"${run[@]}" --output "$folder/parts" --resume >"$folder/out"
grep -q "2/2 sage .*continues in epoch" "$folder/out" || fail "it began anew: $(cat "$folder/out")"
[[ $(results "$folder/whole") == "$(results "$folder/parts")" ]] || fail "other results than without the interruption"

# A finished training is not overwritten either; its results can be had again.
refused "a finished training is kept here" "${run[@]}" --output "$folder/parts"
"${run[@]}" --output "$folder/parts" --resume >"$folder/out"
grep -q "nothing is left to train" "$folder/out" || fail "$(cat "$folder/out")"
grep -Eq "^sage +[0-9.]+ " "$folder/out" || fail "no table: $(cat "$folder/out")"
[[ $(results "$folder/whole") == "$(results "$folder/parts")" ]] || fail "other results when asked again"

# A finished training can be extended by a method, and is not trained again.
"${run[@]},ce-aug" --output "$folder/parts" --resume >"$folder/out"
grep -q "2/3 sage .*(before)" "$folder/out" || fail "$(cat "$folder/out")"
grep -q "^ce-aug,1,150," "$folder/parts/results.csv" || fail "$(cat "$folder/parts/results.csv")"

# Begun anew and interrupted, nothing of the old report is left.
interrupted "$folder/whole" --restart
