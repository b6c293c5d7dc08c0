//go:build !linux

package priority

import "syscall"

func get(id int) (int, error) { return syscall.Getpriority(syscall.PRIO_PROCESS, id) }
