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

"${run[@]}" --output "$folder/two" >/dev/null
[[ $(cut -d, -f1-10 "$folder/one/results.csv") == "$(cut -d, -f1-10 "$folder/two/results.csv")" ]] || fail "two runs, two results"
cmp "$folder/one/curves.csv" "$folder/two/curves.csv"
cmp "$folder/one/panel.png" "$folder/two/panel.png"

# Equal time: ce, whose steps are cheaper, has more epochs.
"$program" "${tiny[@]}" --generate 60 --epochs 10 --seeds 1 --methods ce,sage --budget time --output "$folder/time" >"$folder/out"
grep -q "Equal time" "$folder/out" || fail "$(cat "$folder/out")"
(($(grep "^ce," "$folder/time/results.csv" | cut -d, -f3) > 10)) || fail "$(cat "$folder/time/results.csv")"
"$program" --help >"$folder/out"
grep -q -- "--hold-out LABELS" "$folder/out" || fail "$(cat "$folder/out")"
