package media

import (
	"bufio"
	"context"
	"io"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

// exiftoolFormat asks for one line for each position, absent values as "-". With -n speeds are km/h.
const exiftoolFormat = `$SampleTime|$GPSDateTime|$GPSLatitude|$GPSLongitude|$GPSAltitude|$GPSSpeed|$GPSTrack|$GPSDOP|$GPSMeasureMode`

// ExifTool reads a film's positions with the program exiftool (12 or later) at path bin: it knows some twenty kinds of
// dashcam that this package does not. The file is read by another program in another language, so a network that takes
// films from strangers should run it confined, or not at all. A film in which it finds nothing gives no fixes and no
// error; a program that cannot be run or gives up is Unavailable. Films without sample times are timed by GPS from their
// first position.
func ExifTool(ctx context.Context, bin, file string) ([]Fix, error) {
	cmd := exec.CommandContext(ctx, bin, "-api", "LargeFileSupport=1", "-ee", "-n", "-q", "-q", "-f", "-m", "-p", exiftoolFormat, "--", file)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, survey.Errorf(survey.Unavailable, "run %s: %w", bin, err).WithHint("install exiftool, or leave it out")
	}
	fixes := parseExifTool(out)
	io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil && len(fixes) == 0 {
		if ctx.Err() != nil {
			return nil, survey.Errorf(survey.Unavailable, "exiftool: %w", ctx.Err())
		}
		return nil, nil // it says by its exit status that it did not like the file
	}
	return fixes, nil
}

func parseExifTool(r io.Reader) []Fix {
	var out []Fix
	var first time.Time
	sc := bufio.NewScanner(r)
	for sc.Scan() && len(out) < maxSamples {
		f := strings.Split(sc.Text(), "|")
		if len(f) != 9 {
			continue
		}
		num := func(i int) (float64, bool) {
			v, err := strconv.ParseFloat(f[i], 64)
			return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
		}
		lat, ok1 := num(2)
		lon, ok2 := num(3)
		if !ok1 || !ok2 {
			continue
		}
		x := Fix{Fix: survey.Fix{Point: geo.Point{Lat: lat, Lon: lon}}}
		for _, layout := range []string{"2006:01:02 15:04:05.999999999Z07:00", "2006:01:02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, f[1]); err == nil {
				x.Time = t.UTC().Truncate(time.Microsecond)
				break
			}
		}
		if at, ok := num(0); ok && at >= 0 && at < 1e6 {
			x.At = time.Duration(at * float64(time.Second))
		} else if !x.Time.IsZero() {
			if first.IsZero() {
				first = x.Time
			}
			x.At = x.Time.Sub(first)
		} else {
			continue
		}
		if v, ok := num(4); ok && math.Abs(v) < 20000 {
			x.Alt, x.HasAlt = geo.Meters(v), true
		}
		if v, ok := num(5); ok && v >= 0 && v < 720 {
			x.Speed, x.HasSpeed = geo.SpeedMPS(v/3.6), true
		}
		if v, ok := num(6); ok && math.Abs(v) <= 720 {
			x.Heading, x.HasHeading = geo.NormalizeBearing(v), true
		}
		if v, ok := num(7); ok && v > 0 && v < 1000 {
			x.HDOP = v
		}
		if v, ok := num(8); ok {
			x.Kind = fixKind(uint32(max(v, 1)))
		}
		out = append(out, x)
	}
	return out
}
