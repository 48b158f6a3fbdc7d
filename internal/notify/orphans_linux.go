package notify

import (
	"fmt"
	"syscall"
)

// prSetChildSubreaper is PR_SET_CHILD_SUBREAPER of prctl(2). Package syscall has no name for it.
const prSetChildSubreaper = 36

// adoptOrphans makes this process the parent of the server's orphans even if it is not PID 1, so that it sees when a process
// group has ended.
func adoptOrphans() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return fmt.Errorf("become the reaper of the server's orphans: %w", errno)
	}
	return nil
}
