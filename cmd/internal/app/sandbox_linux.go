package app

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sandboxed marks the environment of a process that has entered its sandbox.
const sandboxed = "ROADCOMB_SANDBOXED"

// sandbox confines this process for customers' SQL and starts its program again inside: it can write no file (the limit
// on file sizes is 0), and where the kernel has Landlock, it reads nothing but the system's libraries and dir, and opens
// no connection. It returns once inside. Sockets that were inherited go on working.
func sandbox(dir string) (landlock bool, err error) {
	if s := os.Getenv(sandboxed); s != "" {
		return s == "landlock", nil
	}
	zero := unix.Rlimit{}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &zero); err != nil {
		return false, fmt.Errorf("forbid writing: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	// Landlock and "no new privileges" hold for a thread; the new program begins on this one and inherits both.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	how := "limits"
	if err := restrict(self, dir); err == nil {
		how = "landlock"
	} else if !errors.Is(err, errors.ErrUnsupported) {
		return false, fmt.Errorf("confine to %s: %w", dir, err)
	}
	return false, syscall.Exec(self, os.Args, append(os.Environ(), sandboxed+"="+how)) // #nosec G204 G702 -- this program again, with its own arguments
}

func restrict(self, dir string) error {
	abi, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return errors.ErrUnsupported // an older kernel, or one without it, or a filter of system calls
	}
	const read = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_EXECUTE
	attr := unix.LandlockRulesetAttr{Handled_access_fs: read | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK | unix.LANDLOCK_ACCESS_FS_MAKE_SYM}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	set, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return errno
	}
	defer unix.Close(int(set))
	// What a program needs to start, and the engine to learn how many cores and how much memory there are.
	for _, p := range []string{dir, self, "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/localtime", "/proc", "/sys/fs/cgroup", "/sys/devices/system", "/dev/null", "/dev/urandom"} {
		fd, err := unix.Open(p, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			continue // this system has none
		}
		access := uint64(read)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
			access &^= unix.LANDLOCK_ACCESS_FS_READ_DIR
		}
		if p == "/dev/null" {
			access |= unix.LANDLOCK_ACCESS_FS_WRITE_FILE
		}
		rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
		_, _, errno := syscall.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, set, unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
		unix.Close(fd)
		if errno != 0 {
			return fmt.Errorf("%s: %w", p, errno)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if _, _, errno := syscall.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, set, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
