package framekm_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/roadcomb/roadcomb/ingest/framekm"
	"github.com/roadcomb/roadcomb/pkg/survey"
)

const sample = `{"bundle":{"name":"km_20240510_021044_2_0","numFrames":2,"size":240816,"deviceType":"hdc","quality":80,
 "firmwareVersion":"4.7.9","ssid":"home wifi","keyframeDistance":8,"resolution":"2k","version":"1.9","deviceId":"2HzOBW4kk"},
 "frames":[{"bytes":120408,"lat":37.54844504235663,"lon":-122.31561535177443,"alt":-72.06198507462686,
  "xdop":0.98,"ydop":1.54,"pdop":3.55,"hdop":1.82,"vdop":3.05,"tdop":2.46,"gdop":4.32,"speed":108.84794776119404,
  "t":1715307044998,"satellites":6,"dilution":2,"eph":7.28034328358209,
  "acc_x":0.1797,"acc_y":0.0110,"acc_z":0.9740,"gyro_x":-0.134,"gyro_y":-0.256,"gyro_z":0.415},
  {"bytes":120408,"lat":37.5485,"lon":-122.3156,"t":1715307045263}]}`

func ExampleParse() {
	b, err := framekm.Parse([]byte(sample))
	f := b.Frames[1]
	fmt.Println(b.Name, f.Offset, f.Bytes, f.Fix.Time.Format(time.RFC3339Nano), err)
	// Output: km_20240510_021044_2_0 120408 120408 2024-05-10T02:10:45.263Z <nil>
}

func TestTheFirstFrameOfTheReferenceBundle(t *testing.T) {
	b, err := framekm.Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	f := b.Frames[0]
	x := f.Fix
	if math.Abs(float64(x.Speed)-30.2355) > 1e-3 || x.HDOP != 1.82 || x.Satellites != 6 || x.Accuracy < 7.2 || !f.HasIMU || f.Acc[2] != 0.974 || b.Frames[1].HasIMU {
		t.Errorf("%+v", f)
	}
	if strings.Contains(fmt.Sprintf("%+v", b), "wifi") {
		t.Error("the name of a network was kept")
	}
}

func TestContradictionsAreToldApartFromOtherFiles(t *testing.T) {
	for name, c := range map[string]struct {
		old, new string
		kind     survey.Kind
	}{
		"sum":      {`"size":240816`, `"size":240817`, survey.Invalid},
		"count":    {`"numFrames":2`, `"numFrames":3`, survey.Invalid},
		"negative": {`"bytes":120408,"lat":37.5485`, `"bytes":-1,"lat":37.5485`, survey.Invalid},
		"escape":   {`"km_20240510_021044_2_0"`, `"../km"`, survey.Invalid},
		"version":  {`"version":"1.9"`, `"version":"2.0"`, survey.Unsupported},
		"no json":  {`{"bundle"`, `"bundle"`, survey.Unsupported},
		"other":    {`"bundle":`, `"bungle":`, survey.Unsupported},
	} {
		if _, err := framekm.Parse([]byte(strings.Replace(sample, c.old, c.new, 1))); err == nil || survey.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The frames of a bundle lie one behind the other by their sizes, so none can overlap; what would take memory or time for what
// is not there is refused from the numbers.
func TestHostileBundlesAreRefused(t *testing.T) {
	many := strings.Repeat(`{"bytes":1},`, framekm.MaxFrames) + `{"bytes":1}`
	for name, b := range map[string]string{
		"sizes that add up past 2^63": `{"bundle":{"name":"a","numFrames":2,"size":-2,"version":"1.9"},"frames":[{"bytes":9223372036854775807},{"bytes":9223372036854775807}]}`,
		"a size of 2^63":              `{"bundle":{"name":"a","numFrames":1,"size":9223372036854775808,"version":"1.9"},"frames":[{"bytes":9223372036854775808}]}`,
		"more frames than any":        fmt.Sprintf(`{"bundle":{"name":"a","numFrames":%d,"size":%[1]d,"version":"1.9"},"frames":[%s]}`, framekm.MaxFrames+1, many),
		"deep":                        `{"bundle":` + strings.Repeat(`{"a":[`, 1_000_000),
		"deep and whole":              `{"bundle":{"a":` + strings.Repeat(`[`, 1_000_000) + strings.Repeat(`]`, 1_000_000) + `}}`,
		"large":                       `{"bundle":{"name":"` + strings.Repeat("a", framekm.MaxJSON) + `"}}`,
		"a name that leads out":       `{"bundle":{"name":"../../etc/passwd","numFrames":1,"size":30000,"version":"1.9"},"frames":[{"bytes":30000,"lat":1,"lon":2,"t":1715307044998}]}`,
		"a name with a line break":    `{"bundle":{"name":"a\r\nSet-Cookie: x","numFrames":0,"size":0,"version":"1.9"},"frames":[]}`,
	} {
		if _, err := framekm.Parse([]byte(b)); err == nil || survey.KindOf(err) != survey.Invalid && survey.KindOf(err) != survey.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := framekm.ParseSidecar([]byte(b)); err == nil {
			t.Errorf("%s is a sidecar", name)
		}
	}
}

func TestBeeFrames(t *testing.T) {
	s, err := framekm.ParseSidecar([]byte(`{"time":1765835621771,"gnss_time":1765835621772,"lat":37.79687694312967,"lon":-122.39541245010635,"img_id":0}`))
	if err != nil || s.Time.UnixMilli() != 1765835621772 || s.Point.Lat != 37.79687694312967 {
		t.Fatal(s, err)
	}
	n, ok := framekm.ParseName("1765835621771_37.79687694312967_-122.39541245010635.jpg")
	if !ok || n.Point.Lon != -122.39541245010635 || n.Time.UnixMilli() != 1765835621771 {
		t.Fatal(n, ok)
	}
	for _, bad := range []string{"", "1_2_3.jpg", "1765835621771_95_0.jpg", "1765835621771_NaN_0.jpg", "20240510_021044.jpg"} {
		if _, ok := framekm.ParseName(bad); ok {
			t.Error(bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte(`{"time":1765835621771,"lat":37.7,"lon":-122.3}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := framekm.ParseSidecar(b)
		m, err2 := framekm.Parse(b)
		for _, err := range []error{err, err2} {
			if k := survey.KindOf(err); err != nil && k != survey.Invalid && k != survey.Unsupported {
				t.Fatalf("kind %v: %v", k, err)
			}
		}
		var off int64
		for _, x := range m.Frames {
			if x.Offset != off || x.Bytes <= 0 {
				t.Fatalf("%+v", x)
			}
			off += x.Bytes
		}
		if off != m.Size {
			t.Fatal("frames do not fill the blob")
		}
	})
}
