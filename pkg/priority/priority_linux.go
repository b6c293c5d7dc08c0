package priority

import "syscall"

// get is a thread's niceness; the system call gives 20 less it, which is never an error's number.
func get(id int) (int, error) {
	n, err := syscall.Getpriority(syscall.PRIO_PROCESS, id)
	return 20 - n, err
}
