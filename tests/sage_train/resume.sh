# Interrupted by Ctrl-C in the middle of a training and continued: status 130, a hint, and then the very same results.
source "$(dirname "$0")/common.sh"

run=("$program" "${tiny[@]}" --generate 60 --epochs 150 --seeds 1 --methods ce,sage)
results() { cut -d, -f1-10 "$1/results.csv"; cat "$1/curves.csv"; }  # all but the times

"${run[@]}" --output "$folder/whole" >/dev/null

: >"$folder/out"
"${run[@]}" --output "$folder/parts" >>"$folder/out" 2>&1 &
job=$!
until grep -q '1/2 ce .*accuracy' "$folder/out"; do kill -0 $job || fail "$(cat "$folder/out")"; done
kill -INT $job
status=0
wait $job || status=$?
[[ $status == 130 ]] || fail "status $status instead of 130: $(cat "$folder/out")"
grep -q -- "--output $folder/parts --resume" "$folder/out" || fail "no hint how to resume: $(cat "$folder/out")"
[[ $(ls "$folder/parts") == checkpoint.bin ]] || fail "more than a checkpoint: $(ls "$folder/parts")"

# It is neither overwritten by accident, nor continued with other settings, nor trusted when damaged.
refused() { local status=0; "${@:2}" >"$folder/out" 2>&1 || status=$?; [[ $status == 2 ]] && grep -q -- "$1" "$folder/out" || fail "$(cat "$folder/out")"; }
refused "an unfinished training is kept here" "${run[@]}" --output "$folder/parts"
refused "margin 0.5 there, margin 2 here" "${run[@]}" --output "$folder/parts" --resume --margin 2
cp -r "$folder/parts" "$folder/damaged"
truncate -s -7 "$folder/damaged/checkpoint.bin"
refused "this checkpoint is damaged" "${run[@]}" --output "$folder/damaged" --resume

"${run[@]}" --output "$folder/parts" --resume >"$folder/out"
grep -q "2/2 sage .*continues in epoch" "$folder/out" || fail "it began anew: $(cat "$folder/out")"
[[ $(results "$folder/whole") == "$(results "$folder/parts")" ]] || fail "other results than without the interruption"

# A finished training can be extended by a method, and is not trained again.
"${run[@]},ce-aug" --output "$folder/parts" --resume >"$folder/out"
grep -q "2/3 sage .*(before)" "$folder/out" || fail "$(cat "$folder/out")"
grep -q "^ce-aug,1,150," "$folder/parts/results.csv" || fail "$(cat "$folder/parts/results.csv")"
