package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Mounting tells how a file has come into a container, as far as it decides whether a new version of it arrives there.
type Mounting int

const (
	// Followed: a file that replaces this one arrives, as far as is known.
	Followed Mounting = iota
	// SingleFile: the file is mounted by itself. A mount holds on to the file that was there when it was made, and not to its
	// name: what is written into that very file arrives, one that is renamed over it never does.
	SingleFile
	// SubPath: the file, or a folder above it, is mounted by subPath from a ConfigMap, a Secret or the like. kubelet binds what
	// its links led to at that time (pkg/volume/util/subpath of Kubernetes), and its next version of the volume is another
	// folder. The one before is emptied then: a file keeps its content, and one in a folder is gone.
	SubPath
)

// Mounts are the mounts of this process, by mount point: the root of each in its file system.
type Mounts map[string]string

// ReadMounts returns the mounts that this process sees; none where the system has no list of them, as beside Linux.
func ReadMounts() (Mounts, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return parseMounts(string(data)), err
}

// parseMounts reads mountinfo as proc(5) describes it: the fourth field is the root, the fifth the mount point. Of several
// mounts at one point the last one counts, which lies on the others.
func parseMounts(mountinfo string) Mounts {
	mounts := Mounts{}
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) > 4 {
			mounts[unescape.Replace(fields[4])] = unescape.Replace(fields[3])
		}
	}
	return mounts
}

// unescape undoes what the kernel writes for characters that would end a field or a line (seq_path in fs/seq_file.c).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")

// version is the name of the folder that holds one version of a volume of kubelet's (newTimestampDir in
// pkg/volume/util/atomic_writer.go of Kubernetes). The link ..data leads to it, and to another one after every change.
var version = regexp.MustCompile(`(^|/)\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+(/|$)`)

// Of tells how the file at path is mounted. The root of a mount shows a subPath of such a volume, and hides any other:
// those of other volumes are Followed, unless they are of a single file.
func (m Mounts) Of(path string) Mounting {
	path, err := filepath.Abs(path)
	if err != nil {
		return Followed
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	point := m.above(path)
	switch {
	case version.MatchString(m[point]):
		return SubPath
	case point == path && !isFolder(path):
		return SingleFile
	}
	return Followed
}

// above is the mount point that path is on: itself, or the nearest above.
func (m Mounts) above(path string) string {
	for {
		if _, mounted := m[path]; mounted || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
