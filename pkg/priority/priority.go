// Package priority lets a process give way to others of its machine: what nobody waits for comes after what somebody does.
package priority

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Yield makes the whole process, and what it starts from now on, at least as nice as given: 1 to 19 of setpriority(2), where
// five are worth a factor of three in processor time when both want it, and nothing on an idle machine. A process that is nicer
// already stays so; 0 or less changes nothing. It cannot be taken back without privileges.
//
// Niceness counts among processes of one scheduling group only. Services of systemd and containers are groups of their own, so
// that these need CPUWeight= and cpu_shares besides.
func Yield(nice int) error {
	if nice <= 0 {
		return nil
	}
	nice = min(nice, 19)
	done := map[int]bool{}
	for {
		ids, err := threads()
		if err != nil {
			return err
		}
		more := false
		for _, id := range ids {
			if done[id] {
				continue
			}
			done[id], more = true, true
			now, err := get(id)
			if err == nil && now < nice {
				err = syscall.Setpriority(syscall.PRIO_PROCESS, id, nice)
			}
			if err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
				return fmt.Errorf("niceness %d: %w", nice, err)
			}
		}
		if !more { // a thread that a thread not yet done began meanwhile was seen in this turn
			return nil
		}
	}
}

// threads are this process's: Linux keeps a niceness for each, others one for the process, which 0 stands for.
func threads() ([]int, error) {
	dir, err := os.ReadDir("/proc/self/task")
	if errors.Is(err, os.ErrNotExist) {
		return []int{0}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("threads of this process: %w", err)
	}
	ids := make([]int, 0, len(dir))
	for _, d := range dir {
		if id, err := strconv.Atoi(d.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
