#!/usr/bin/env bash
# interop.sh: with OpenCV's binding built to count them, no picture that package cv or the stage opens stays open, whatever
# fails; and the detector of persons and vehicles comes from its registry, is the one that the manifest names, and finds both.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -tags matprofile -count=1 ./vision/cv
go test -tags matprofile -count=1 ./vision/worker -run 'TestPublishedFrames|TestWhateverFails|TestBadOriginals|TestARerunReplaces|TestAFaceMissed|TestNeighboursAreKnown|TestFramesOfAFilm|TestSignsArePlaced'
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bin/roadcomb models pull "$tmp" streetguard-hide
bin/roadcomb models verify --models "$tmp"
walk=../shared/data/exif-sequence-lund
if [ -f "$walk/22.jpg" ]; then
  bin/roadcomb detect --models "$tmp" --hide person,vehicle "$walk/22.jpg" >"$tmp/both" # two persons, two cars
  bin/roadcomb detect --models "$tmp" --hide person "$walk/22.jpg" >"$tmp/persons"
  for class in person vehicle; do
    grep -q "\"class\":\"$class\"" "$tmp/both" || { echo "no $class found"; exit 1; }
  done
  grep -q '"class":"person"' "$tmp/persons" && ! grep -q '"class":"vehicle"' "$tmp/persons" || { echo "hiding persons is not that"; exit 1; }
elif [ -n "${ROADCOMB_SHARED_REQUIRED:-}" ]; then
  echo "no $walk"; exit 1
else
  echo "skip: no pictures of a street at $walk"
fi
