package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Watch tells when files below some folders change. Its fields are settings; the zero value of each is its default.
type Watch struct {
	// Folders to watch: their own entries and one level below. A folder may be missing and come later.
	//
	// Folders and never files: a watch on a file is dead, without a word, after the first rename over it or the first
	// symlink swap of a Kubernetes volume.
	Folders []string
	// Files to watch, each by its name in its folder, where others may put whatever they like: nothing else in that folder
	// is looked at.
	Files []string
	// Poll is how often the folders are looked at in any case (10 s). Some volumes deliver no events at all, an event
	// queue overflows, and a folder that was removed and made again has lost its watch.
	Poll time.Duration
	// Quiet is how long nothing may change before a change is told (500 ms), Max how long that waits at most (5 s).
	Quiet, Max time.Duration
	Log        *slog.Logger
}

// Changes sends on the returned channel, which holds one value, whenever something has changed and settled. It is
// closed when ctx ends.
func (w Watch) Changes(ctx context.Context) <-chan struct{} {
	if w.Poll <= 0 {
		w.Poll = 10 * time.Second
	}
	if w.Quiet <= 0 {
		w.Quiet = 500 * time.Millisecond
	}
	if w.Max <= 0 {
		w.Max = 5 * time.Second
	}
	changes := make(chan struct{}, 1)
	seen := w.snapshot()
	events := w.events(ctx)
	go func() {
		defer close(changes)
		for w.wait(ctx, events) {
			now := w.snapshot()
			if maps.Equal(seen, now) {
				continue
			}
			seen = w.settle(ctx, now)
			select {
			case changes <- struct{}{}:
			default: // one is waiting already, and will be answered by a look at everything
			}
		}
	}()
	return changes
}

// wait returns true when it is time to look, false when ctx has ended.
func (w Watch) wait(ctx context.Context, events <-chan struct{}) bool {
	timer := time.NewTimer(w.Poll)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-events:
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// settle waits until nothing has changed for Quiet, at most for Max, and returns what is there then.
func (w Watch) settle(ctx context.Context, seen state) state {
	deadline := time.After(w.Max)
	for {
		select {
		case <-ctx.Done():
			return seen
		case <-deadline:
			return w.snapshot()
		case <-time.After(w.Quiet):
		}
		now := w.snapshot()
		if maps.Equal(seen, now) {
			return now
		}
		seen = now
	}
}

// events returns a channel that hints at changes by fsnotify. It is only a hint, and so may miss any: what decides is
// the comparison of snapshots.
func (w Watch) events(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.Log.Warn("no file events, looking every "+w.Poll.String()+" instead", "error", err)
		return hints
	}
	add := w.adder(watcher)
	add()
	go func() {
		defer watcher.Close()
		w.hint(ctx, watcher.Events, watcher.Errors, add, hints)
	}()
	return hints
}

// adder returns the function that watches every folder that is there.
func (w Watch) adder(watcher *fsnotify.Watcher) func() {
	full := false
	watch := func(folder string) error {
		err := watcher.Add(folder)
		if errors.Is(err, syscall.ENOSPC) && !full {
			full = true
			w.Log.Warn("no file events for some folders, looking every "+w.Poll.String()+" instead; raise fs.inotify.max_user_watches on the host for more", "folder", folder, "error", err)
		}
		return err
	}
	return func() {
		for _, folder := range w.Folders {
			if watch(folder) != nil { // missing: its parent tells when it comes. No room left: the poll sees it
				watch(filepath.Dir(folder))
				continue
			}
			entries, _ := os.ReadDir(folder)
			for _, e := range entries {
				if e.IsDir() && !passedOver(folder, e.Name()) {
					watch(filepath.Join(folder, e.Name()))
				}
			}
		}
		for _, path := range w.Files {
			if watch(filepath.Dir(path)) != nil {
				watch(filepath.Dir(filepath.Dir(path)))
			}
		}
	}
}

// hint turns events, and errors that may stand for some, into hints until ctx ends. add watches folders that have come.
func (w Watch) hint(ctx context.Context, events <-chan fsnotify.Event, failures <-chan error, add func(), hints chan<- struct{}) {
	again := time.NewTicker(w.Poll)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			add() // folders that have come or come back; adding a watched one again costs nothing
			continue
		case e := <-events:
			if e.Has(fsnotify.Create) || e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
				add()
			}
		case err := <-failures: // an overflow above all: something was missed, so look
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.Log.Warn("file events", "error", err)
			}
			add() // a folder that has come may be what was missed
		}
		select {
		case hints <- struct{}{}:
		default:
		}
	}
}

// state is what a look at the folders finds.
type state map[string]stamp

// stamp tells one file from another and from its own later versions.
type stamp struct {
	inode    uint64
	size     int64
	modified time.Time
	mode     fs.FileMode
	link     string
}

func (w Watch) snapshot() state {
	s := state{}
	for _, folder := range w.Folders {
		s.add(folder, 2)
	}
	for _, path := range w.Files {
		s.addFile(path, 1)
	}
	return s
}

// add notes the entries of folder and, by one level less, of the folders in it.
func (s state) add(folder string, levels int) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !passedOver(folder, e.Name()) {
			s.addFile(filepath.Join(folder, e.Name()), levels)
		}
	}
}

// addFile notes what is at path, and of a folder by one level less what is in it.
func (s state) addFile(path string, levels int) {
	info, err := os.Stat(path) // behind the link: a symlink swap shows in what it leads to
	if err != nil {
		return
	}
	link, _ := os.Readlink(path)
	if info.IsDir() {
		s[path] = stamp{mode: info.Mode(), link: link}
		if levels > 1 {
			s.add(path, levels-1)
		}
		return
	}
	var inode uint64
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = sys.Ino
	}
	s[path] = stamp{inode: inode, size: info.Size(), modified: info.ModTime(), mode: info.Mode(), link: link}
}

// passedOver tells what does not count in a folder: the agent's own working folder, whose files come and go with every
// write, and in the root, where Compose puts the files of its configs, what the kernel shows there and changes all the time.
func passedOver(folder, name string) bool {
	if name == WorkDir {
		return true
	}
	path, err := filepath.Abs(filepath.Join(folder, name))
	return err == nil && (path == "/proc" || path == "/sys" || path == "/dev")
}

// WorkDir is the name of the folder, at the top of each volume, that holds the agent's own files: temporary ones,
// backups, the lock. A name with a dot in front, at the top: the products' entrypoints do not copy it.
const WorkDir = ".agent"
