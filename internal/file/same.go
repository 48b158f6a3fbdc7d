package file

import (
	"io/fs"
	"os"
)

// Same reports whether nobody has written a file between two looks at it: it is the same file with the same time and size. nil
// stands for no file. A write that replaces the file, as those of this package do, makes another one.
func Same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
