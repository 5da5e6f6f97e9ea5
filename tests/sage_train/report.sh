# All methods on generated images: the table and the files, the same in every run.
source "$(dirname "$0")/common.sh"

methods=ce,ce-aug,cyborg,sage,sage-inverted,sage-shuffled
run=("$program" "${tiny[@]}" --generate 60 --epochs 2 --seeds 2 --methods $methods)
"${run[@]}" --output "$folder/one" >"$folder/out"
for method in ${methods//,/ }; do
  grep -Eq "^$method +[0-9.]+ ± [0-9.]+ +[0-9.]+ ± [0-9.]+ " "$folder/out" || fail "no line for $method: $(cat "$folder/out")"
  [[ $(grep -c "^$method," "$folder/one/results.csv") == 2 ]] || fail "$(cat "$folder/one/results.csv")"
  [[ $(grep -c "^$method," "$folder/one/curves.csv") == 4 ]] || fail "$(cat "$folder/one/curves.csv")"
done
grep -q "Equal epochs" "$folder/out" || fail "$(cat "$folder/out")"
for picture in "$folder"/one/*.png; do
  [[ $(head -c 4 "$picture" | tail -c 3) == PNG ]] || fail "$picture is no PNG"
done
[[ -f $folder/one/panel.png ]] || fail "no panel.png"
if command -v gnuplot >/dev/null; then
  [[ -f $folder/one/curves.png ]] || fail "no curves.png"
else
  grep -q "gnuplot is not installed" "$folder/out" || fail "$(cat "$folder/out")"
fi

PATH=/nowhere "${run[@]}" --output "$folder/two" >"$folder/out" || fail "without gnuplot: status $?"
grep -q "gnuplot is not installed" "$folder/out" || fail "$(cat "$folder/out")"
[[ $(cut -d, -f1-10 "$folder/one/results.csv") == "$(cut -d, -f1-10 "$folder/two/results.csv")" ]] || fail "two runs, two results"
cmp "$folder/one/curves.csv" "$folder/two/curves.csv"
cmp "$folder/one/panel.png" "$folder/two/panel.png"

# Equal time: ce, whose steps are cheaper, has more epochs.
"$program" "${tiny[@]}" --generate 60 --epochs 10 --seeds 1 --methods ce,sage --budget time --output "$folder/time" >"$folder/out"
grep -q "Equal time" "$folder/out" || fail "$(cat "$folder/out")"
(($(grep "^ce," "$folder/time/results.csv" | cut -d, -f3) > 10)) || fail "$(cat "$folder/time/results.csv")"

# Trainings that diverge say so and end; the others, and the report, follow.
timeout 100 "$program" "${tiny[@]}" --generate 60 --epochs 30 --seeds 1 --methods ce,sage --lr 1000 --weight-decay 1000 \
  --output "$folder/diverged" >"$folder/out" || fail "status $?: $(cat "$folder/out")"
for method in ce sage; do
  grep -Eq "/2 $method .*diverged in epoch [0-9]+: a loss was no finite number" "$folder/out" || fail "$(cat "$folder/out")"
  grep -Eq "^$method +n/a +n/a " "$folder/out" || fail "$(cat "$folder/out")"
  grep -q "^$method: 1 of 1 trainings diverged" "$folder/out" || fail "$(cat "$folder/out")"
  grep -Eq "^$method,1,30,[0-9]+,[0-9]+,,,,,," "$folder/diverged/results.csv" || fail "$(cat "$folder/diverged/results.csv")"
done

# On a terminal no line of the bar is wider than the terminal.
if command -v script >/dev/null; then
  bar=("$program" "${tiny[@]}" --generate 60 --epochs 400 --seeds 1 --methods ce --output "$folder/bar")
  for columns in 70 40; do
    script -qec "stty cols $columns; ${bar[*]} --restart" "$folder/terminal" </dev/null >/dev/null
    tr '\r' '\n' <"$folder/terminal" | sed 's/\x1b\[K//g' | grep "epoch .*/400" >"$folder/out" || fail "no bar"
    widest=$(LC_ALL=C.UTF-8 wc -L <"$folder/out")
    ((widest < columns)) || fail "$widest columns where the terminal has $columns: $(cat "$folder/out")"
  done
fi
"$program" --help >"$folder/out"
grep -q -- "--hold-out LABELS" "$folder/out" || fail "$(cat "$folder/out")"
