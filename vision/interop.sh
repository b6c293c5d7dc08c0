#!/usr/bin/env bash
# interop.sh: with OpenCV's binding built to count them, no picture that package cv opens stays open.
set -euo pipefail
cd "$(dirname "$0")/.."
go test -tags matprofile -count=1 ./vision/cv
