package media_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/media"
	"github.com/roadcomb/roadcomb/ingest/trace"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// films lays one film of each kind that is read here into a folder: built for the kinds of which there is no real one, and
// around real payloads of GoPros.
func films(t testing.TB, seconds int) map[string]string {
	t.Helper()
	dir := t.TempDir()
	out := map[string]string{}
	lay := func(name string, b []byte) {
		t.Helper()
		p := filepath.Join(dir, name+".mp4")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out[name] = p
	}
	lay("camm-6", film("camm", packets(seconds), time.Second))
	var five [][]byte
	for i := range seconds {
		five = append(five, f64(f64(f64([]byte{0, 0, 5, 0}, 48+1e-4*float64(i)), 11), 500))
	}
	lay("camm-5", film("camm", five, time.Second))
	ride := testkit.NewRide(1, geo.Point{Lat: 48, Lon: 11}, time.Duration(min(seconds, 120))*time.Second)
	lay("camm-felt", ride.CAMM(day, ride.Felt(1)))
	lay("gpmf-felt", ride.GoPro(day, ride.Felt(1)))
	lay("blackvue-rmc", blackvueFilm(seconds))
	lay("novatek-viofo", novatekFilm(seconds, 72))
	for name, b := range others(seconds) {
		lay(name, b)
	}
	for _, n := range []string{"hero5", "hero6", "hero6+ble", "hero7", "hero11", "Fusion"} {
		lay("gpmf-"+n, film("gpmd", payloads(shared(t, "gopro", "gpmf-payloads", n+".raw")), time.Second))
	}
	lay("gpmf-karma", shared(t, "gopro", "karma.mp4"))
	return out
}

// payloads splits what was dumped one behind the other.
func payloads(b []byte) (out [][]byte) {
	for len(b) >= 8 {
		n := 8 + (int(b[5])*int(binary.BigEndian.Uint16(b[6:]))+3)&^3
		if string(b[:4]) != "DEVC" || n > len(b) {
			break
		}
		out, b = append(out, b[:n]), b[n:]
	}
	return out
}

func load(t testing.TB, path string) media.Film {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := media.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return f
}

// mapillary runs the script beside the other readers; ../interop/interop.sh installs what it needs.
func mapillary(t testing.TB, into any, args ...string) {
	t.Helper()
	bin := os.Getenv("ROADCOMB_MAPILLARY")
	if bin == "" {
		t.Skip("mapillary_tools is not installed; run ingest/interop/interop.sh")
	}
	cmd := exec.Command(filepath.Join(bin, "python"), append([]string{"../interop/tracks.py"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

func TestMapillaryToolsReadTheSameTracks(t *testing.T) {
	all := films(t, 120)
	var names, args []string
	for name, p := range all {
		if !strings.HasPrefix(name, "novatek") { // which it leaves to exiftool
			names, args = append(names, name), append(args, p)
		}
	}
	var theirs map[string]struct {
		Model  string
		Points [][]*float64
		Felt   [][4]float64
	}
	mapillary(t, &theirs, args...)
	for i, name := range names {
		ours, other := load(t, args[i]), theirs[args[i]].Points
		feltAlike(t, name, ours.Felt, theirs[args[i]].Felt)
		if name == "gpmf-karma" { // the gimbal's raw stream, which it does not read
			continue
		}
		if len(ours.Fixes) != len(other) || len(other) == 0 {
			t.Errorf("%s: %d fixes, they have %d", name, len(ours.Fixes), len(other))
			continue
		}
		shift := 0.0
		if ours.Format == "blackvue" { // they count from the first position, the film from the first line
			shift = 0.5
		}
		early := time.Millisecond
		if name == "gpmf-hero11" { // it takes GPS5, stamped once for each payload; GPS9 has the time of each reading
			early = 2 * time.Second
		}
		worst, late := geo.Meters(0), 0.0
		for k, f := range ours.Fixes {
			p := other[k]
			worst = max(worst, geo.Distance(f.Point, geo.Point{Lat: *p[1], Lon: *p[2]}))
			late = max(late, math.Abs(f.At.Seconds()-*p[0]-shift))
			if p[3] != nil && ours.Format != "blackvue" && math.Abs(float64(f.Alt)-*p[3]) > 0.01 {
				t.Errorf("%s, fix %d: altitude %v, theirs %v", name, k, f.Alt, *p[3])
			}
			if p[4] != nil && ours.Format == "gpmf" { // they give the payload's time to each of its GPS5 readings
				if d := f.Time.Sub(time.UnixMicro(int64(*p[4] * 1e6))); d < -early || d > time.Second {
					t.Errorf("%s, fix %d: %v from their clock", name, k, d)
				}
			}
		}
		t.Logf("%s: %d fixes, at most %.4f m and %.4f s apart; model %q, theirs %q", name, len(other), float64(worst), late, ours.Model, theirs[args[i]].Model)
		if worst > 0.02 || late > 0.002 {
			t.Errorf("%s: %.3f m and %.4f s apart", name, float64(worst), late)
		}
		if m := theirs[args[i]].Model; m != "" && m != ours.Model {
			t.Errorf("%s: model %q, theirs %q", name, ours.Model, m)
		}
	}
}

// feltAlike compares sums of the accelerometer with another's single readings, by what does not change when the axes are
// turned: they put the axes of some cameras (ORIN, MTRX) upright.
func feltAlike(t *testing.T, name string, ours []media.Felt, theirs [][4]float64) {
	t.Helper()
	if len(theirs) == 0 && (strings.HasSuffix(name, "felt") || strings.HasPrefix(name, "gpmf")) {
		t.Errorf("%s: they find no accelerometer", name)
	}
	steps := make([]struct {
		n   int
		sum [3]float64
		sq  float64
	}, len(ours))
	for _, r := range theirs {
		if i := int(r[0]/media.FeltStep.Seconds() + 1e-6); i < len(steps) {
			steps[i].n++
			for k, v := range r[1:] {
				steps[i].sum[k] += v / 9.80665
				steps[i].sq += v * v / 9.80665 / 9.80665
			}
		}
	}
	n, worst := 0, 0.0
	for i, f := range ours {
		s := steps[i]
		n += f.N
		if d := s.n - f.N; d < -1 || d > 1 || s.n == 0 { // a reading at the border of two steps may count in either
			t.Errorf("%s, step %d: %d readings, they have %d", name, i, f.N, s.n)
			continue
		}
		norm := math.Hypot(math.Hypot(s.sum[0], s.sum[1]), s.sum[2]) / float64(s.n)
		spread := math.Sqrt(max(0, s.sq/float64(s.n)-norm*norm))
		d := max(math.Abs(norm-math.Hypot(math.Hypot(f.Mean[0], f.Mean[1]), f.Mean[2])), math.Abs(spread-f.Spread))
		if s.n == f.N {
			worst = max(worst, d)
		}
		if d > 1e-6 && s.n == f.N || d > 0.1*f.Spread+1e-6 {
			t.Errorf("%s, step %d: %+v, theirs %.6f g, spread by %.6f g", name, i, f, norm, spread)
		}
	}
	if n != len(theirs) {
		t.Errorf("%s: %d readings of the accelerometer, they have %d", name, n, len(theirs))
	}
	if n > 0 {
		t.Logf("%s: %d readings of the accelerometer, at most %.1e g apart", name, n, worst)
	}
}

func TestExifToolReadsTheSameTracks(t *testing.T) {
	bin, err := exec.LookPath("exiftool")
	if err != nil {
		t.Skip("exiftool is not installed")
	}
	for name, p := range films(t, 120) {
		if name == "gpmf-karma" || name == "gpmf-hero6" || name == "gpmf-hero6+ble" || strings.HasSuffix(name, "felt") {
			continue // another test's; two without a fix, which exiftool leaves out; and the same formats once more
		}
		theirs, err := media.ExifTool(t.Context(), bin, p)
		if err != nil {
			t.Fatal(err)
		}
		ours := load(t, p)
		c := ours.Clean(trace.Gate{MaxHDOP: 10})
		compared, worst := 0, geo.Meters(0)
		for _, x := range theirs {
			// Matched by position: exiftool times GoPro's readings by payload, and BlackVue's by GPS.
			near := geo.Meters(math.Inf(1))
			for _, f := range ours.Fixes {
				near = min(near, geo.Distance(x.Point, f.Point))
			}
			compared, worst = compared+1, max(worst, near)
		}
		t.Logf("%s: %d fixes, theirs %d, kept %d, farthest of theirs from any of ours %.3f m", name, len(ours.Fixes), len(theirs), c.Fixes, float64(worst))
		want := len(ours.Fixes)
		if ours.Format == "gpmf" { // it gives one reading of each payload
			b, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			want = bytes.Count(b, []byte("DEVC"))
		}
		if compared < want*9/10 || compared == 0 || worst > 0.1 {
			t.Errorf("%s: %d of %d compared, %.2f m", name, compared, want, float64(worst))
		}
	}
}

// BenchmarkAgainst reads the tracks of films of an hour by this package, by exiftool and by mapillary_tools, taking turns.
func BenchmarkAgainst(b *testing.B) {
	bin, err := exec.LookPath("exiftool")
	if err != nil {
		b.Skip("exiftool is not installed")
	}
	all := films(b, 3600)
	for _, name := range []string{"camm-6", "blackvue-rmc", "novatek-viofo", "gpmf-hero11", "gpmf-karma"} {
		b.Run(name, func(b *testing.B) {
			var ours, theirs, python time.Duration
			for b.Loop() {
				const n = 20
				from := time.Now()
				for range n {
					f, err := os.Open(all[name])
					if err != nil {
						b.Fatal(err)
					}
					st, err := f.Stat()
					if err != nil {
						b.Fatal(err)
					}
					m, err := media.Read(f, st.Size())
					f.Close()
					if err != nil || len(m.Fixes) == 0 {
						b.Fatal(len(m.Fixes), err)
					}
				}
				ours += time.Since(from) / n
				from = time.Now()
				if fs, err := media.ExifTool(b.Context(), bin, all[name]); err != nil || len(fs) == 0 {
					b.Fatal(len(fs), err)
				}
				theirs += time.Since(from)
				if os.Getenv("ROADCOMB_MAPILLARY") != "" && name != "novatek-viofo" {
					var s map[string]float64
					mapillary(b, &s, "time", "2", all[name])
					python += time.Duration(s[all[name]] * float64(time.Second))
				}
			}
			b.ReportMetric(ours.Seconds()*1e3/float64(b.N), "ms/film")
			b.ReportMetric(float64(theirs)/float64(ours), "x-exiftool")
			if python > 0 {
				b.ReportMetric(float64(python)/float64(ours), "x-mapillary")
			}
		})
	}
}

// BenchmarkLongFilm reads the track of a film of ten gigabytes, most of it a hole in the file, and tells the most memory
// that the process ever held.
func BenchmarkLongFilm(b *testing.B) {
	small := film("camm", packets(7200), time.Second)
	index := bytes.LastIndex(small, []byte("moov")) - 4
	const gap = 10 << 30
	name := filepath.Join(b.TempDir(), "long.mp4")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	hole := binary.BigEndian.AppendUint64(append(be(1), "mdat"...), gap)
	for off, part := range map[int64][]byte{0: append(append([]byte{}, small[:index]...), hole...), int64(index) + gap: small[index:]} {
		if _, err := f.WriteAt(part, off); err != nil {
			b.Skip(err)
		}
	}
	st, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m, err := media.Read(f, st.Size())
		if err != nil || len(m.Fixes) != 7200 || len(m.Clean(trace.Gate{}).Plan(m.Duration)) < 5000 {
			b.Fatal(len(m.Fixes), err)
		}
	}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(st.Size())/1e9, "GB")
	b.ReportMetric(float64(r.Maxrss)/1024, "MiB-peak") // Linux counts in KiB
}
