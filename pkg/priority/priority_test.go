package priority_test

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/roadcomb/roadcomb/pkg/priority"
	"github.com/roadcomb/roadcomb/pkg/testkit"
)

func Example() {
	// A worker beside a server: of processor time that both want, the server gets ten times as much.
	if err := priority.Yield(10); err != nil {
		fmt.Println(err)
	}
}

// niceness of the threads of a process.
func niceness(t *testing.T, pid string) (out []int) {
	t.Helper()
	dir, err := os.ReadDir("/proc/" + pid + "/task")
	if err != nil {
		t.Skip("this system does not show its threads: ", err)
	}
	for _, d := range dir {
		if n, ok := testkit.Niceness(t, "/proc/"+pid+"/task/"+d.Name()+"/stat"); ok {
			out = append(out, n)
		}
	}
	return out
}

func TestAllThreadsGiveWayAndSoDoChildren(t *testing.T) {
	// The test's own process would stay nice: it is done in a child.
	if os.Getenv("PRIORITY_CHILD") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), "PRIORITY_CHILD=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(string(out), "--- SKIP") {
			t.Skip(string(out))
		}
		return
	}
	var held, end sync.WaitGroup
	stop := make(chan struct{})
	for range 8 { // threads that are there before
		held.Add(1)
		end.Go(func() {
			runtime.LockOSThread()
			held.Done()
			<-stop
		})
	}
	held.Wait()
	before := niceness(t, "self")
	for _, n := range before {
		if n >= 19 {
			t.Skip("this process is as nice as can be already")
		}
	}
	want := max(before[0], 7)
	for _, n := range []int{0, -5, 7, 3} { // the last asks for less than there is
		if err := priority.Yield(n); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range niceness(t, "self") {
		if n != want {
			t.Errorf("a thread's niceness is %d, not %d", n, want)
		}
	}
	close(stop)
	end.Wait()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	for _, n := range niceness(t, strconv.Itoa(cmd.Process.Pid)) {
		if n != want {
			t.Errorf("a child's niceness is %d, not %d", n, want)
		}
	}
	if err := priority.Yield(99); err != nil {
		t.Fatal(err)
	}
	if n := niceness(t, "self")[0]; n != 19 {
		t.Errorf("asked for more than there is: %d", n)
	}
}
