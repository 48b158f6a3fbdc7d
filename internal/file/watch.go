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

// Watch reports changes of files below some folders. The zero value of a field is its default.
type Watch struct {
	// Folders are the folders to watch: their entries and one level below. A folder may be missing and appear later.
	//
	// Watch never watches a file itself: such a watch silently stops working after the first rename over the file or the
	// first symlink swap of a Kubernetes volume.
	Folders []string
	// Files are single files to watch. Other files in their folders do not count.
	Files []string
	// Poll is the interval at which Watch looks at the folders in any case (10 s). Some volumes deliver no events, an event
	// queue can overflow, and a folder that somebody removed and created again has lost its watch.
	Poll time.Duration
	// Quiet is the time without further changes after which Watch reports a change (500 ms). Max limits that wait (5 s).
	Quiet, Max time.Duration
	Log        *slog.Logger
}

// Changes returns a channel on which Watch sends when something has changed and settled. The channel holds one value. Watch
// closes it when ctx ends.
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
			default: // the channel has one already, and its receiver will look at everything
			}
		}
	}()
	return changes
}

// wait waits until an event or the next poll. It returns false when ctx has ended.
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

// settle waits until nothing has changed for Quiet, at most for Max. It returns the state at that time.
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

// events returns a channel of hints from fsnotify that something may have changed. It may miss changes, because the comparison
// of snapshots decides.
func (w Watch) events(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.Log.Warn("no file events; polling the folders instead", "every", w.Poll.String(), "error", err)
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

// adder returns the function that adds every folder that exists to watcher.
func (w Watch) adder(watcher *fsnotify.Watcher) func() {
	full := false
	watch := func(folder string) error {
		err := watcher.Add(folder)
		if errors.Is(err, syscall.ENOSPC) && !full {
			full = true
			w.Log.Warn("no file events for some folders; polling them instead", "every", w.Poll.String(), "folder", folder, "error", err,
				"remedy", "raise fs.inotify.max_user_watches on the host")
		}
		return err
	}
	return func() {
		for _, folder := range w.Folders {
			if watch(folder) != nil { // if it is missing, its parent reports when it appears; if there are no watches left, the poll sees it
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

// hint sends a hint for every event, and for every error, which may stand for lost events, until ctx ends. add watches folders
// that have appeared.
func (w Watch) hint(ctx context.Context, events <-chan fsnotify.Event, failures <-chan error, add func(), hints chan<- struct{}) {
	again := time.NewTicker(w.Poll)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			add() // folders that have appeared; to add a watched one again costs nothing
			continue
		case e := <-events:
			if e.Has(fsnotify.Create) || e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename) {
				add()
			}
		case err := <-failures: // mostly an overflow, which means lost events
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.Log.Warn("cannot read file events", "error", err)
			}
			add() // the lost event may be a folder that has appeared
		}
		select {
		case hints <- struct{}{}:
		default:
		}
	}
}

// state is what Watch finds in the folders, by path.
type state map[string]stamp

// stamp distinguishes a file from other files and from its own later versions.
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

// add adds the entries of folder to s. levels is the number of levels of folders to go down.
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

// addFile adds the file or folder at path to s, and the content of a folder if levels is more than 1.
func (s state) addFile(path string, levels int) {
	info, err := os.Stat(path) // of the link's target, so that a symlink swap shows
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

// passedOver reports whether an entry of a folder does not count. That is the agent's own working folder, whose files change
// with every write. In the root folder, where Compose puts the files of its configs, it is also what the kernel shows there and
// changes all the time.
func passedOver(folder, name string) bool {
	if name == WorkDir {
		return true
	}
	path, err := filepath.Abs(filepath.Join(folder, name))
	return err == nil && (path == "/proc" || path == "/sys" || path == "/dev")
}

// WorkDir is the name of the folder at the top of each volume for the agent's own files: temporary files, backups, the lock. The
// products' entrypoints do not copy it, because it is at the top and its name begins with a dot.
const WorkDir = ".agent"
