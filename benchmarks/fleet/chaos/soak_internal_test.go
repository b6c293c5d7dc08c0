package chaos

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestGrowthIsToldFromNoise(t *testing.T) {
	routines := func(i int) int64 { return 80 + int64(i%9) }
	make := func(rss func(i int) int64) []Sample {
		var ss []Sample
		for i := range 90 {
			ss = append(ss, Sample{RSS: map[string]int64{"work0": rss(i)}, Files: map[string]int64{"work0": 40}, Threads: map[string]int64{"work0": 12}, Routines: map[string]int64{"work0": routines(i)}})
		}
		return ss
	}
	if _, g := flat(make(func(i int) int64 { return 300<<20 + int64(i%7)<<22 })); len(g) != 0 {
		t.Error(g)
	}
	if _, g := flat(make(func(i int) int64 { return int64(100+10*i) << 20 })); len(g) != 1 || !strings.Contains(g[0], "memory of work0") {
		t.Error(g)
	}
	routines = func(i int) int64 { return 80 + 10*int64(i) }
	if _, g := flat(make(func(int) int64 { return 300 << 20 })); len(g) != 1 || !strings.Contains(g[0], "goroutines of work0") {
		t.Error(g)
	}
	if _, g := flat(nil); len(g) != 1 {
		t.Error("no samples are judged flat")
	}
}

func TestALinkCutsStallsAndHeals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	k, err := newLink(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	echo := func(c net.Conn, wait time.Duration) bool {
		c.SetDeadline(time.Now().Add(wait))
		if _, err := c.Write([]byte("x")); err != nil {
			return false
		}
		_, err := c.Read(make([]byte, 1))
		return err == nil
	}
	c, err := net.Dial("tcp", k.addr)
	if err != nil || !echo(c, 10*time.Second) {
		t.Fatal("a healthy link does not pass:", err)
	}
	k.set(false, true, 0)
	if echo(c, 200*time.Millisecond) {
		t.Fatal("a stalled link passes")
	}
	k.set(false, false, 0)
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal("what was stalled is lost:", err)
	}
	k.set(true, false, 0)
	if echo(c, 10*time.Second) {
		t.Fatal("a cut link passes")
	}
	k.set(false, false, 0)
	if c, err = net.Dial("tcp", k.addr); err != nil || !echo(c, 10*time.Second) {
		t.Fatal("a healed link does not pass:", err)
	}
}

func TestServedCountsWhatServeAnswered(t *testing.T) {
	const name = `roadcomb_http_request_seconds_bucket{code="200",method="GET",route="%s",le="%s"}`
	at := func(fast, slow float64) map[string]float64 {
		return map[string]float64{
			fmt.Sprintf(name, "/v1/me", "0.05"): fast, fmt.Sprintf(name, "/v1/me", "0.1"): fast + slow, fmt.Sprintf(name, "/v1/me", "+Inf"): fast + slow,
			fmt.Sprintf(name, waitingRoute, "0.05"): 0, fmt.Sprintf(name, waitingRoute, "+Inf"): 1000 * fast, // waits on purpose
			fmt.Sprintf(name, "/metrics", "+Inf"): 1000 * fast,
		}
	}
	n, within, most := served(at(5, 5), at(95, 15))
	if n != 100 || within != 0.9 || most != 100 {
		t.Errorf("%d answers, %v within 50 ms, p99 at most %v ms", n, within, most)
	}
}
