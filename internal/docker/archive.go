package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"time"

	"wso2agent/internal/remedy"
)

// fileLimit is the largest file that is read out of a container, in bytes.
const fileLimit = 16 << 20

// File is a file or a folder of a container, as an archive has it.
type File struct {
	Name     string // in an archive that is read: its last part; in one that is written: the path below the folder
	Folder   bool
	Data     []byte
	Mode     fs.FileMode // permissions
	UID, GID int         // numbers of the owner in the container
	Modified time.Time
}

// Read returns the regular file at an absolute path of a container, whether it runs or not. Errors wrap [ErrNotFound] if there is none.
func (e *Engine) Read(ctx context.Context, id, file string) (File, error) {
	f, err := e.read(ctx, id, file)
	if err != nil {
		return File{}, fmt.Errorf("read %s in container %s: %w", file, id, err)
	}
	return f, nil
}

func (e *Engine) read(ctx context.Context, id, file string) (f File, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := e.do(ctx, http.MethodGet, archive(id), url.Values{"path": {file}}, nil)
	if err != nil {
		return f, err
	}
	defer resp.Body.Close()
	r := tar.NewReader(io.LimitReader(resp.Body, fileLimit+1<<20))
	h, err := r.Next()
	switch {
	case err != nil:
		return f, err
	case h.Typeflag == tar.TypeSymlink:
		return f, remedy.Add(errors.New("it is a symbolic link"), "put a file in its place: a replacement would not reach what the link names")
	case h.Typeflag != tar.TypeReg:
		return f, errors.New("it is no regular file")
	case h.Size > fileLimit:
		return f, fmt.Errorf("it has %d bytes, more than %d", h.Size, fileLimit)
	}
	f = File{Name: path.Base(h.Name), Mode: h.FileInfo().Mode().Perm(), UID: h.Uid, GID: h.Gid, Modified: h.ModTime}
	f.Data, err = io.ReadAll(r)
	return f, err
}

// Exists reports whether a path exists in a container.
func (e *Engine) Exists(ctx context.Context, id, file string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := e.do(ctx, http.MethodHead, archive(id), url.Values{"path": {file}}, nil)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s in container %s: %w", file, id, err)
	}
	return true, resp.Body.Close()
}

// Write writes files below a folder of a container, one after the other, with their modes and owners. Podman does not show the owner of a
// file, so it gives files to the user of the container, as which the server runs. The engine removes a file before it
// writes the new one, so a connection that breaks can leave a part of the file that was written then. A folder that exists keeps what is
// in it.
func (e *Engine) Write(ctx context.Context, id, dir string, files ...File) error {
	data, err := pack(files)
	if err != nil {
		return fmt.Errorf("write below %s in container %s: %w", dir, id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := e.Ping(ctx); err != nil {
		return err
	}
	query := url.Values{"path": {dir}, "noOverwriteDirNonDir": {"1"}}
	if e.podman {
		// In an archive that is read, Podman has the numbers of this machine for the user of the container in place of the owner. It would
		// take them for numbers of the container (containers/podman, libpod/container_copy_common.go).
		query.Set("copyUIDGID", "1")
	}
	resp, err := e.do(ctx, http.MethodPut, archive(id), query, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("write below %s in container %s: %w", dir, id, err)
	}
	return resp.Body.Close()
}

func pack(files []File) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Size: int64(len(f.Data)), Mode: int64(f.Mode.Perm()), Uid: f.UID, Gid: f.GID, ModTime: f.Modified}
		if f.Folder {
			h.Typeflag, h.Name, h.Size = tar.TypeDir, f.Name+"/", 0
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.Data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

func archive(id string) string { return "/containers/" + url.PathEscape(id) + "/archive" }
