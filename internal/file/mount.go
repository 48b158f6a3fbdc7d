package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Mounting is the way in which a container mounts a file. It decides whether a new version of the file arrives there.
type Mounting int

const (
	// Followed: as far as the agent knows, a file that replaces this one arrives.
	Followed Mounting = iota
	// SingleFile: the file itself is mounted. A mount keeps the file that was there when it was made, and not the name. A
	// write into that very file arrives; a file that somebody renames over it never does.
	SingleFile
	// SubPath: the file, or a folder above it, is a subPath mount of a ConfigMap, a Secret or the like. kubelet binds the target
	// that its links have at that time (pkg/volume/util/subpath of Kubernetes). It puts the next version of the volume into
	// another folder and empties the old one. A mounted file then keeps its content; a file in a mounted folder is gone.
	SubPath
)

// Mounts are the mounts that a process sees. The key is the mount point, the value the root of the mount in its file system.
type Mounts map[string]string

// ReadMounts returns the mounts that this process sees. It returns none on systems without a list of them, which are all but
// Linux.
func ReadMounts() (Mounts, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return parseMounts(string(data)), err
}

// parseMounts reads mountinfo as proc(5) describes it: the fourth field is the root, the fifth the mount point. The last of
// several mounts at one point counts, because it hides the others.
func parseMounts(mountinfo string) Mounts {
	mounts := Mounts{}
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) > 4 {
			mounts[unescape.Replace(fields[4])] = unescape.Replace(fields[3])
		}
	}
	return mounts
}

// unescape replaces the escapes that the kernel writes for characters that would end a field or a line (seq_path in
// fs/seq_file.c).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")

// version matches the name of the folder with one version of a kubelet volume (newTimestampDir in
// pkg/volume/util/atomic_writer.go of Kubernetes). The link ..data leads to that folder, and to another one after every change.
var version = regexp.MustCompile(`(^|/)\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+(/|$)`)

// Of returns how the file at path is mounted. The root of a mount shows a subPath of a kubelet volume, but not of other volumes.
// So a subPath of another volume counts as Followed, unless it is a single file.
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

// above returns the mount point of path: path itself or the nearest folder above it.
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
