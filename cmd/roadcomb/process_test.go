package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/datasets/schema"
	"github.com/roadcomb/roadcomb/pkg/geo"
	"github.com/roadcomb/roadcomb/pkg/lake"
	"github.com/roadcomb/roadcomb/pkg/survey"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

// The tests run the program itself, as its users do: the embedded store allows one server in a process.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "roadcomb-bin-")
	if err != nil {
		panic(err)
	}
	bin = filepath.Join(dir, "roadcomb")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		os.Exit(1)
	}
	// Workers would give way to whatever tests of other packages do at the same time, for as long as these take.
	os.Setenv("ROADCOMB_NICE", "0")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

type run struct {
	code           int
	stdout, stderr string
	out            string // the results' folder
	report         report
}

type report struct {
	Inputs, Accepted, Rejected, Published, Quarantined, Cells int
	Drives                                                    []struct {
		ID        string
		Frames    int
		DistanceM float64 `json:"distance_m"`
		Cells     int
		Flags     string
	}
	Rejections []struct {
		Path, Class, Message string
		Vars                 map[string]any
	}
	Timings map[string]float64
}

func (r report) classes() map[string]int {
	m := map[string]int{}
	for _, x := range r.Rejections {
		m[x.Class]++
	}
	return m
}

// repo makes the child find models and the web page as it does in the source tree.
func repo(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Dir = testkit.Root(t)
	return cmd
}

// process runs the verb into a fresh folder and checks what holds for every run.
func process(t *testing.T, args ...string) run {
	t.Helper()
	r := run{out: filepath.Join(t.TempDir(), "out")}
	return processInto(t, r.out, args...)
}

func processInto(t *testing.T, out string, args ...string) run {
	t.Helper()
	r := run{out: out}
	cmd := repo(t, append([]string{"process", "--out", out}, args...)...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var x *exec.ExitError
	if err != nil && !errors.As(err, &x) {
		t.Fatal(err)
	}
	r.code, r.stdout, r.stderr = cmd.ProcessState.ExitCode(), o.String(), e.String()
	if b, err := os.ReadFile(filepath.Join(out, "report.json")); err == nil {
		if err := json.Unmarshal(b, &r.report); err != nil {
			t.Fatal(err)
		}
		if r.report.Inputs != r.report.Accepted+r.report.Rejected || r.report.Rejected != len(r.report.Rejections) {
			t.Errorf("%d in, %d + %d out", r.report.Inputs, r.report.Accepted, r.report.Rejected)
		}
		for _, x := range r.report.Rejections {
			if !survey.Reason(x.Class).Valid() || x.Message == "" || x.Path == "" {
				t.Errorf("rejection %+v", x)
			}
		}
	}
	if strings.Contains(r.stderr, "panic") || strings.Contains(r.stderr, "goroutine ") {
		t.Errorf("stderr:\n%s", r.stderr)
	}
	return r
}

// published reads the frames dataset and checks it against the folder of frames.
func (r run) published(t *testing.T) []schema.Frame {
	t.Helper()
	var rows []schema.Frame
	for _, f := range files(t, filepath.Join(r.out, "datasets", "frames")) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		part, err := lake.Decode[schema.Frame](b)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, part...)
	}
	jpgs := files(t, filepath.Join(r.out, "frames"))
	if len(rows) != r.report.Published || len(jpgs) != r.report.Published {
		t.Errorf("%d rows and %d pictures of %d published frames", len(rows), len(jpgs), r.report.Published)
	}
	for _, row := range rows {
		b, err := os.ReadFile(filepath.Join(r.out, "frames", row.ID+".jpg"))
		if err != nil {
			t.Error(err)
			continue
		}
		if survey.HashOf(b).String() != row.SHA256 || row.Models == "" {
			t.Errorf("frame %s is not the one recorded, or names no model", row.ID)
		}
		for _, marker := range [][]byte{{0xff, 0xe1}, {0xff, 0xed}, {0xff, 0xfe}, []byte("Exif\x00"), []byte("http://ns.adobe.com")} {
			if head := b[:min(len(b), 4096)]; bytes.Contains(head, marker) {
				t.Errorf("frame %s carries %x", row.ID, marker)
			}
		}
	}
	return rows
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, p)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// digest names every result but the report with its hash.
func digest(t *testing.T, out string) []string {
	t.Helper()
	var ds []string
	for _, f := range files(t, out) {
		rel, _ := filepath.Rel(out, f)
		if rel == "report.json" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		ds = append(ds, rel+" "+survey.HashOf(b).String())
	}
	slices.Sort(ds)
	return ds
}

func TestAWalkWithoutTimesBecomesAMapAndTheSameBytesTwice(t *testing.T) {
	lund := testkit.Shared(t, "data", "exif-sequence-lund")
	a := process(t, lund)
	if a.code != 0 && a.code != 3 {
		t.Fatalf("exit %d\n%s%s", a.code, a.stdout, a.stderr)
	}
	if a.report.Inputs != 29 || a.report.Published < 20 || len(a.report.Drives) == 0 || !strings.Contains(a.report.Drives[0].Flags, "time_assumed") {
		t.Fatalf("%+v", a.report)
	}
	a.published(t)
	for _, l := range []string{"coverage", "sequences", "images"} {
		if st, err := os.Stat(filepath.Join(a.out, "tiles", l+".pmtiles")); err != nil || st.Size() < 127 {
			t.Errorf("layer %s: %v", l, err)
		}
	}
	for _, d := range []string{"frames", "drives", "cells", "allocations", "observations"} {
		if len(files(t, filepath.Join(a.out, "datasets", d))) == 0 {
			t.Errorf("dataset %s is empty", d)
		}
	}
	epochs, err := os.ReadDir(filepath.Join(a.out, "rewards"))
	if err != nil || len(epochs) == 0 {
		t.Fatalf("epochs: %v %v", epochs, err)
	}
	for _, f := range []string{"manifest.json", "allocations.parquet", "merkle.json"} {
		if _, err := os.Stat(filepath.Join(a.out, "rewards", epochs[0].Name(), f)); err != nil {
			t.Error(err)
		}
	}
	b := process(t, lund, "--jobs", "1")
	if da, db := digest(t, a.out), digest(t, b.out); !slices.Equal(da, db) {
		t.Fatalf("two runs differ:\n%s\n\n%s", strings.Join(da, "\n"), strings.Join(db, "\n"))
	}
	// Again into the same folder: earlier results are replaced, not mixed.
	c := processInto(t, a.out, lund)
	if da, dc := digest(t, c.out), digest(t, b.out); c.code != a.code || !slices.Equal(da, dc) {
		t.Fatalf("exit %d; a second run into the folder differs", c.code)
	}
}

func TestRealCamerasWithClocksAndLargeFrames(t *testing.T) {
	arezzo := process(t, testkit.Shared(t, "data", "exif-sequence-arezzo"))
	if arezzo.code != 0 && arezzo.code != 3 || arezzo.report.Inputs != 9 || arezzo.report.Published == 0 {
		t.Fatalf("exit %d %+v\n%s", arezzo.code, arezzo.report, arezzo.stderr)
	}
	for _, f := range arezzo.published(t) { // the GPS clock is right; the camera's is two hours ahead
		if d := f.CapturedAt.Format(time.DateOnly); d != "2008-10-22" {
			t.Errorf("captured %s", d)
		}
	}
	sony := process(t, testkit.Shared(t, "data", "exif-action-cam"))
	if sony.code != 0 && sony.code != 3 || sony.report.Inputs != 2 || sony.report.Published == 0 {
		t.Fatalf("exit %d %+v\n%s", sony.code, sony.report, sony.stderr)
	}
	for _, f := range sony.published(t) {
		if f.Width != 3840 || f.Height != 2160 {
			t.Errorf("%d × %d", f.Width, f.Height)
		}
	}
	broken := process(t, testkit.Shared(t, "data", "exif-malformed"))
	if broken.report.Inputs != 4 || broken.code == 1 {
		t.Fatalf("exit %d %+v\n%s", broken.code, broken.report, broken.stderr)
	}
	broken.published(t)
}

// drive writes n frames 8 m apart into dir; with gps false the pictures carry only times.
func drive(t *testing.T, dir string, n int, gps bool) []testkit.Shot {
	t.Helper()
	start := geo.Point{Lat: 43.7279, Lon: 7.4140}
	shots := testkit.Path([]geo.Point{start, geo.Destination(start, 60, geo.Meters(8*n))}, 8, 10, time.Date(2024, 5, 8, 9, 0, 0, 0, time.UTC))[:n]
	for i, s := range shots {
		p := testkit.Picture{W: 800, H: 450, Seed: uint64(i), Taken: s.Time, Offset: "+00:00", Heading: &s.Heading}
		if gps {
			p.Point, p.GPSTime = &s.Point, s.Time
		}
		write(t, filepath.Join(dir, s.Name), testkit.JPEG(p))
	}
	return shots
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderOfPicturesBesideATrackIsPlacedByIt(t *testing.T) {
	for _, kind := range []string{"gpx", "nmea"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			shots := drive(t, dir, 12, false)
			var b strings.Builder
			if kind == "gpx" {
				b.WriteString(`<?xml version="1.0"?><gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>`)
				for _, s := range shots {
					fmt.Fprintf(&b, `<trkpt lat="%.7f" lon="%.7f"><time>%s</time></trkpt>`, s.Point.Lat, s.Point.Lon, s.Time.Format("2006-01-02T15:04:05.000Z"))
				}
				b.WriteString(`</trkseg></trk></gpx>`)
			} else {
				for _, s := range shots {
					body := fmt.Sprintf("GPRMC,%s,A,%s,N,%s,E,19.4,60.0,%s,,,A", s.Time.Format("150405.00"), dm(s.Point.Lat, 2), dm(s.Point.Lon, 3), s.Time.Format("020106"))
					sum := byte(0)
					for i := range body {
						sum ^= body[i]
					}
					fmt.Fprintf(&b, "$%s*%02X\r\n", body, sum)
				}
			}
			write(t, filepath.Join(dir, "track."+kind), []byte(b.String()))
			r := process(t, dir)
			if r.code != 0 || r.report.Inputs != 13 || r.report.Published != 12 {
				t.Fatalf("exit %d %+v\n%s", r.code, r.report, r.stderr)
			}
			for _, f := range r.published(t) {
				if !strings.Contains(f.Flags, "position_track") {
					t.Errorf("flags %q", f.Flags)
				}
			}
		})
	}
}

// dm writes an angle as NMEA's degrees and minutes.
func dm(v float64, digits int) string {
	d := int(v)
	return fmt.Sprintf("%0*d%08.5f", digits, d, (v-float64(d))*60)
}

func TestBadInputIsNamedStopsNothingAndLosesNothing(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("running as root: every file is readable, so the unreadable one is a broken link only")
	}
	dir := t.TempDir()
	shots := drive(t, filepath.Join(dir, "good"), 6, true)
	at := shots[5].Time.Add(time.Minute / 2)
	far := geo.Destination(shots[5].Point, 60, 50)
	good := testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: 99, Point: &far, GPSTime: at, Taken: at})

	write(t, filepath.Join(dir, "notes.txt"), []byte("not an image"))
	write(t, filepath.Join(dir, "empty.jpg"), nil)
	write(t, filepath.Join(dir, "cut", "truncated.jpg"), good[:len(good)/2])
	write(t, filepath.Join(dir, "null", "island.jpg"), testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: 1, Point: &geo.Point{}, GPSTime: at, Taken: at}))
	write(t, filepath.Join(dir, "nogps", "a.jpg"), testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: 2, Taken: at}))
	write(t, filepath.Join(dir, "bomb", "bomb.jpg"), bomb(good, 20000, 20000))
	write(t, filepath.Join(dir, "exif", "absurd.jpg"), testkit.WithEXIF(testkit.JPEG(testkit.Picture{W: 800, H: 450, Seed: 3, NoEXIF: true}),
		testkit.Tiff([]testkit.Entry{{Tag: 0x010f, Type: 2, Count: 0xffffffff, Data: []byte("xxxxx")}}, nil, []testkit.Entry{{Tag: 2, Type: 5, Count: 0x7fffffff, Data: make([]byte, 24)}})))
	write(t, filepath.Join(dir, "odd", "line\nbreak.jpg"), good)
	write(t, filepath.Join(dir, "copy", "again.jpg"), mustRead(t, filepath.Join(dir, "good", shots[0].Name)))
	if err := os.Symlink(filepath.Join(dir, "gone.jpg"), filepath.Join(dir, "dangling.jpg")); err != nil {
		t.Fatal(err)
	}
	inputs := 6 + 10
	if os.Geteuid() != 0 {
		p := filepath.Join(dir, "locked.jpg")
		write(t, p, good)
		os.Chmod(p, 0)
		inputs++
	}
	r := process(t, dir)
	if r.code != 3 || r.report.Inputs != inputs {
		t.Fatalf("exit %d, %d inputs, want %d\n%s\n%s", r.code, r.report.Inputs, inputs, r.stdout, r.stderr)
	}
	if r.report.Published < 6 {
		t.Errorf("%d frames published; the good drive has 6", r.report.Published)
	}
	want := map[string][]string{
		"notes.txt": {"unknown_type"}, "empty.jpg": {"empty"}, "truncated.jpg": {"corrupt", "undecodable"}, "island.jpg": {"null_island"},
		"a.jpg": {"no_position"}, "bomb.jpg": {"pixel_bomb"}, "absurd.jpg": {"no_position", "corrupt"}, "again.jpg": {"duplicate"}, "dangling.jpg": {"unreadable"},
	}
	for _, x := range r.report.Rejections {
		classes, ok := want[filepath.Base(x.Path)]
		if !ok {
			continue
		}
		if !slices.Contains(classes, x.Class) {
			// Of two copies either may be the one that counts.
			if filepath.Base(x.Path) != "again.jpg" {
				t.Errorf("%s: %s (%s), want one of %v", x.Path, x.Class, x.Message, classes)
			}
		}
		delete(want, filepath.Base(x.Path))
	}
	delete(want, "again.jpg")
	if len(want) > 0 {
		t.Errorf("not rejected: %v\n%s", want, r.stdout)
	}
	if r.report.classes()["duplicate"] != 1 {
		t.Errorf("classes %v", r.report.classes())
	}
	r.published(t)
}

// bomb rewrites the size that a baseline JPEG declares.
func bomb(jpg []byte, w, h int) []byte {
	out := bytes.Clone(jpg)
	for _, sof := range []byte{0xc0, 0xc2} {
		if i := bytes.LastIndex(out[:min(len(out), 8192)], []byte{0xff, sof, 0, 17, 8}); i > 0 {
			out[i+5], out[i+6], out[i+7], out[i+8] = byte(h>>8), byte(h), byte(w>>8), byte(w)
		}
	}
	return out
}

func mustRead(t *testing.T, p string) []byte {
	t.Helper()
	b, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnEmptyFolderSaysSo(t *testing.T) {
	r := process(t, t.TempDir())
	if r.code != 4 || !strings.Contains(r.stderr, "no files in") {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
}

func TestAPathThatDoesNotExistIsNamed(t *testing.T) {
	r := process(t, filepath.Join(t.TempDir(), "nowhere"))
	if r.code != 4 && r.code != 2 || !strings.Contains(r.stderr, "nowhere") {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
}

func TestWithoutModelsNothingIsPublished(t *testing.T) {
	dir := t.TempDir()
	drive(t, dir, 4, true)
	r := process(t, "--models", t.TempDir(), dir)
	if r.code != 5 || r.report.Published != 0 || len(files(t, filepath.Join(r.out, "frames"))) != 0 {
		t.Fatalf("exit %d, %d published\n%s", r.code, r.report.Published, r.stderr)
	}
	if got := r.report.classes(); got["no_model"] != 4 {
		t.Fatalf("classes %v", got)
	}
}

func TestAForeignOutputFolderIsNotTouched(t *testing.T) {
	out := t.TempDir()
	write(t, filepath.Join(out, "thesis.doc"), []byte("x"))
	r := processInto(t, out, t.TempDir())
	if r.code != 2 || !strings.Contains(r.stderr, "thesis.doc") {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := repo(t, "up", "--home", t.TempDir(), "--listen", l.Addr().String(), "--s3-listen", "127.0.0.1:0", "--flight", "127.0.0.1:0")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), l.Addr().String()) || !strings.Contains(string(out), "--listen") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAFullDiskIsAClearErrorAndLosesNothing(t *testing.T) {
	// A file size limit stands in for a full disk: writes fail in the same calls, and no mount is needed.
	dir := t.TempDir()
	drive(t, dir, 4, true)
	out := filepath.Join(t.TempDir(), "out")
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `trap '' XFSZ; ulimit -f 64; exec "$0" "$@"`, bin, "process", "--out", out, dir)
	cmd.Dir = testkit.Root(t)
	b, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("succeeded\n%s", b)
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 || strings.Contains(string(b), "goroutine ") {
		t.Fatalf("exit %d\n%s", code, b)
	}
	if got := files(t, dir); len(got) != 4 {
		t.Fatalf("%d of 4 originals left", len(got))
	}
}

func TestHelpListsTheExitCodes(t *testing.T) {
	b, err := repo(t, "--help").CombinedOutput()
	if err != nil || !bytes.Contains(b, []byte("3 done, some files rejected")) {
		t.Fatalf("%v\n%s", err, b)
	}
	if err := repo(t, "frobnicate").Run(); err == nil {
		t.Fatal("an unknown verb succeeded")
	}
}

func TestTheDoctorNamesWhatIsWrongAndHowToMendIt(t *testing.T) {
	well, err := repo(t, "doctor", "--home", t.TempDir(), "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:0", "--flight", "127.0.0.1:0").CombinedOutput()
	if err != nil || bytes.Contains(well, []byte("FAIL")) {
		t.Fatalf("%v\n%s", err, well)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ill, err := repo(t, "doctor", "--home", t.TempDir(), "--listen", l.Addr().String(), "--s3-listen", "127.0.0.1:0", "--models", t.TempDir()).CombinedOutput()
	if err == nil || !bytes.Contains(ill, []byte("FAIL port of the APIs")) || !bytes.Contains(ill, []byte("FAIL privacy models")) || !bytes.Contains(ill, []byte("roadcomb models pull")) {
		t.Fatalf("%v\n%s", err, ill)
	}
}
