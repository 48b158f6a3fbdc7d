package file

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

func TestWatchTellsEveryWayInWhichAFileCanChange(t *testing.T) {
	cases := []struct {
		name   string
		change func(t *testing.T, dir string)
	}{
		{"written in place", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "wso2is", "certs.pem"), "new") }},
		{"renamed over", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "temp"), "next")
			rename(t, filepath.Join(dir, "temp"), filepath.Join(dir, "wso2is", "certs.pem"))
		}},
		{"a new folder with a file", func(t *testing.T, dir string) {
			mkdir(t, filepath.Join(dir, "other"))
			write(t, filepath.Join(dir, "other", "certs.pem"), "x")
		}},
		{"removed", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "wso2is", "certs.pem")); err != nil {
				t.Fatal(err)
			}
		}},
		{"a symlink swap as in a Kubernetes volume", func(t *testing.T, dir string) {
			mkdir(t, filepath.Join(dir, "..2"))
			write(t, filepath.Join(dir, "..2", "file"), "v2")
			if err := os.Symlink("..2", filepath.Join(dir, "..tmp")); err != nil {
				t.Fatal(err)
			}
			rename(t, filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data"))
		}},
	}
	for _, c := range cases {
		for mode, poll := range map[string]time.Duration{"events": time.Hour, "polling": 20 * time.Millisecond} {
			t.Run(c.name+" by "+mode, func(t *testing.T) {
				dir := t.TempDir()
				mkdir(t, filepath.Join(dir, "wso2is"))
				write(t, filepath.Join(dir, "wso2is", "certs.pem"), "old")
				mkdir(t, filepath.Join(dir, "..1"))
				write(t, filepath.Join(dir, "..1", "file"), "v1")
				for link, to := range map[string]string{"..data": "..1", "file": "..data/file"} {
					if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
						t.Fatal(err)
					}
				}
				w := Watch{Folders: []string{dir}, Poll: poll, Quiet: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
				changes := w.Changes(t.Context())
				c.change(t, dir)
				select {
				case <-changes:
				case <-time.After(10 * time.Second):
					t.Fatal("not noticed")
				}
			})
		}
	}
}

func TestWatchFollowsAFolderThatComesLateAndOneThatIsMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "late")
	w := Watch{Folders: []string{dir}, Poll: time.Hour, Quiet: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	expect := func(what string) {
		t.Helper()
		select {
		case <-changes:
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: not noticed", what)
		}
	}
	mkdir(t, dir)
	write(t, filepath.Join(dir, "a"), "1")
	expect("the folder has come")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect("the folder has gone")
	mkdir(t, dir)
	write(t, filepath.Join(dir, "a"), "2")
	expect("the folder was made again")
	write(t, filepath.Join(dir, "b"), "3")
	expect("a file in it")
}

func TestWatchIgnoresTheAgentsOwnWorkingFolder(t *testing.T) {
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, WorkDir))
	w := Watch{Folders: []string{dir}, Poll: 5 * time.Millisecond, Quiet: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	write(t, filepath.Join(dir, WorkDir, "store.1.tmp"), "x")
	select {
	case <-changes:
		t.Error("a temporary file of the agent's own was told as a change")
	case <-time.After(100 * time.Millisecond):
	}
}

func TestEveryVersionOfAKubernetesVolumeIsTold(t *testing.T) {
	for mode, poll := range map[string]time.Duration{"events": time.Hour, "polling": 20 * time.Millisecond} {
		t.Run(mode, func(t *testing.T) {
			volume := testenv.KubernetesVolume{Dir: filepath.Join(t.TempDir(), "volume")}
			volume.Write(t, map[string]string{"password": "aaa", "folder/file": "aaa"})
			w := Watch{Folders: []string{volume.Dir}, Poll: poll, Quiet: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
			changes := w.Changes(t.Context())
			for _, content := range []string{"bbb", "ccc", "ddd"} {
				volume.Write(t, map[string]string{"password": content, "folder/file": "aaa"})
				select {
				case <-changes:
				case <-time.After(10 * time.Second):
					t.Fatalf("%s: not noticed", content)
				}
				if got, err := Read(filepath.Join(volume.Dir, "password"), 10); string(got) != content || err != nil {
					t.Errorf("read %q, %v", got, err)
				}
			}
			if err := os.RemoveAll(volume.Dir); err != nil {
				t.Fatal(err)
			}
			select {
			case <-changes:
			case <-time.After(10 * time.Second):
				t.Fatal("that the volume has gone is not noticed")
			}
		})
	}
}

func TestWhatTheKernelShowsInTheRootIsNoChange(t *testing.T) {
	for path := range (Watch{Folders: []string{"/"}}).snapshot() {
		if strings.HasPrefix(path, "/proc") || strings.HasPrefix(path, "/sys") || strings.HasPrefix(path, "/dev") {
			t.Fatalf("%s counts", path)
		}
	}
	if passedOver("/tmp", "proc") || !passedOver("/tmp", WorkDir) {
		t.Error("a folder of that name elsewhere does not count, or the agent's own does")
	}
}

func TestManyChangesInARowAreToldOnce(t *testing.T) {
	dir := t.TempDir()
	w := Watch{Folders: []string{dir}, Poll: 5 * time.Millisecond, Quiet: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	for _, content := range []string{"1", "22", "333"} {
		write(t, filepath.Join(dir, "store"), content)
	}
	<-changes
	select {
	case <-changes:
		t.Error("told twice")
	case <-time.After(400 * time.Millisecond):
	}
}

func TestOfAFolderOfOthersOnlyTheNamedFilesCount(t *testing.T) {
	dir := t.TempDir()
	theirs := filepath.Join(dir, "exchange", "peer")
	named := filepath.Join(theirs, "certs.pem")
	w := Watch{Files: []string{named}, Poll: 50 * time.Millisecond, Quiet: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	changes := w.Changes(t.Context())
	if err := os.MkdirAll(theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range 2000 {
		if err := os.WriteFile(filepath.Join(theirs, fmt.Sprint("junk", n)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changes:
		t.Error("files that nobody named count")
	case <-time.After(200 * time.Millisecond):
	}
	if n := len(w.snapshot()); n != 0 {
		t.Errorf("%d files are remembered", n)
	}
	if err := os.WriteFile(named, []byte("new"), 0o644); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changes:
	case <-time.After(5 * time.Second):
		t.Error("the named file does not count")
	}
}
