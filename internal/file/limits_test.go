package file

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"wso2agent/internal/testenv"
)

func TestAnOverflowOfEventsMakesItLookAndWatchWhatHasCome(t *testing.T) {
	failures, hints, added := make(chan error), make(chan struct{}, 1), make(chan struct{}, 1)
	log := &testenv.Buffer{}
	w := Watch{Poll: time.Hour, Log: slog.New(slog.NewTextHandler(log, nil))}
	go w.hint(t.Context(), nil, failures, func() { added <- struct{}{} }, hints)
	failures <- fsnotify.ErrEventOverflow
	<-added
	<-hints
	failures <- errors.New("other trouble")
	<-added
	<-hints
	if text := log.String(); strings.Contains(text, "overflow") || !strings.Contains(text, "other trouble") {
		t.Errorf("log: %s", text)
	}
}

// limitVariable has the name of the limit that the process with this variable sets to 0.
const limitVariable = "FILE_TEST_LIMIT"

// TestWithoutRoomForEventsAChangeIsNoticedAnyway runs itself in a user namespace with limits of its own.
func TestWithoutRoomForEventsAChangeIsNoticedAnyway(t *testing.T) {
	for limit, says := range map[string]string{
		"max_inotify_instances": "no file events; polling the folders instead",
		"max_inotify_watches":   "raise fs.inotify.max_user_watches",
	} {
		t.Run(limit, func(t *testing.T) {
			if os.Getenv(limitVariable) != "" {
				noticedWithout(t, says)
				return
			}
			runInNamespace(t, syscall.CLONE_NEWUSER, limitVariable+"="+limit)
		})
	}
}

// runInNamespace runs the test again in another process, which is root in new namespaces. variable marks that process.
func runInNamespace(t *testing.T, flags uintptr, variable string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	cmd.Env = append(os.Environ(), variable)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSPC), strings.Contains(string(out), "--- SKIP"):
		t.Skipf("needs a user namespace: %v %s", err, out)
	case err != nil || !strings.Contains(string(out), "--- PASS"):
		t.Errorf("%v\n%s", err, out)
	}
}

func noticedWithout(t *testing.T, says string) {
	limit := filepath.Join("/proc/sys/user", os.Getenv(limitVariable))
	if err := os.WriteFile(limit, []byte("0"), 0); err != nil {
		t.Skip(err)
	}
	dir, log := t.TempDir(), &testenv.Buffer{}
	mkdir(t, filepath.Join(dir, "wso2is"))
	w := Watch{Folders: []string{dir}, Poll: 50 * time.Millisecond, Quiet: 10 * time.Millisecond, Log: slog.New(slog.NewTextHandler(log, nil))}
	changes := w.Changes(t.Context())
	for _, content := range []string{"first", "another"} {
		write(t, filepath.Join(dir, "wso2is", "certs.pem"), content)
		select {
		case <-changes:
		case <-time.After(10 * time.Second):
			t.Fatal("not noticed")
		}
	}
	if strings.Count(log.String(), says) != 1 {
		t.Errorf("it is not told once: %s", log)
	}
}
