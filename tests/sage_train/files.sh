# Light and dark pictures are told apart; a missing map, and a held-out class, are no mistakes.
source "$(dirname "$0")/common.sh"

data_set "$folder/data"
sed -i '2s/map.bmp//; 5s/map.bmp//' "$folder/data/manifest.csv"  # no map
bmp "$folder/data/unknown.bmp" 64 32 250 250                     # another size, and a map of another size again
printf '"unknown.bmp",map.bmp,strange,train\r\n' >>"$folder/data/manifest.csv"
"$program" "${tiny[@]}" --data "$folder/data" --hold-out strange --methods ce,sage,cyborg --seeds 1 --epochs 40 --lr 0.02 \
  --output "$folder/output" >"$folder/out"
grep -q "16 training, 2 validation and 3 test images of 16x16" "$folder/out" || fail "$(cat "$folder/out")"
grep -q "1 of the test images are of unknown classes" "$folder/out" || fail "$(cat "$folder/out")"
grep -q "2 images have no usable map" "$folder/out" || fail "$(cat "$folder/out")"
grep -q "AUROC: one known class against all other test images, those of unknown classes included" "$folder/out" || fail "$(cat "$folder/out")"
for method in ce sage cyborg; do
  grep -q "^$method,1,40,40,[0-9]*,1.000000," "$folder/output/results.csv" || fail "$(cat "$folder/output/results.csv")"
done

# With a normal class AUROC is that class against everything else, whatever path leads to the images.
again=("$program" "${tiny[@]}" --hold-out strange --normal light --methods ce --seeds 1 --epochs 2 --output "$folder/normal")
"${again[@]}" --data "$folder/data" >"$folder/out"
grep -q "AUROC: images of the normal class (light) against all other test images, those of unknown classes included, .*(open-set AUROC)" "$folder/out" ||
  fail "$(cat "$folder/out")"
(cd "$folder" && "${again[@]}" --data ./data --resume >"$folder/out")
grep -q "nothing is left to train" "$folder/out" || fail "$(cat "$folder/out")"

# Without any map the SAGE loss is the cross entropy.
sed -i 's/map.bmp//' "$folder/data/manifest.csv"
"$program" "${tiny[@]}" --data "$folder/data" --methods ce,sage --seeds 1 --epochs 2 --hold-out strange --output "$folder/mapless" >"$folder/out"
losses() { grep "^$1," "$folder/mapless/curves.csv" | cut -d, -f3,4; }
[[ $(losses ce) == "$(losses sage)" ]] || fail "$(cat "$folder/mapless/curves.csv")"
grep -Eq '^sage,1,2,2,[12],[0-9.]+,[0-9.]+,[0-9.]+,,' "$folder/mapless/results.csv" || fail "cam_inside is not empty: $(cat "$folder/mapless/results.csv")"
