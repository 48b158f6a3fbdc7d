package bootstrap

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/file"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// filesLimit is the largest size of the API configuration and of the keys file, in bytes.
const filesLimit = 4 << 20

// Files are the files of a bootstrap. Agents with the same keys file also share a folder next to it, in which they keep a
// lock, a name and a record.
type Files struct {
	Config string // path of the API configuration (API_CONFIG): a file or a folder
	Keys   keysfile.Files
}

// FilesOf returns the files by the agent's settings.
func FilesOf(c config.Config) Files {
	b := c.Bootstrap
	return Files{Config: b.File, Keys: keysfile.Files{
		JSON: b.KeysFile, Env: b.KeysEnvFile, EnvFormat: keysfile.Format(b.KeysEnvFormat),
		Manifest: b.KeysSecretFile, Name: b.KeysSecretName, Namespace: b.KeysSecretNamespace,
	}}
}

// Desired reads the API configuration. Every error wraps [ErrPermanent].
func (f Files) Desired() (*desired.File, error) {
	d, err := desired.Load(desired.FromSystem(os.LookupEnv, config.IsSecret), f.Config)
	var unreadable *desired.FileError
	switch {
	case errors.As(err, &unreadable):
		return nil, remedy.Add(fmt.Errorf("%w: read the API configuration: %w", ErrPermanent, err), "put it there, or set API_CONFIG")
	case err != nil:
		return nil, fmt.Errorf("%w: read %s: %w", ErrPermanent, f.Config, err)
	}
	return d, nil
}

// digest returns what is different after a change of a file of the API configuration.
func (f Files) digest() string {
	names, err := desired.FilesOf(f.Config)
	text := fmt.Sprintf("%v", err)
	for _, name := range names {
		data, err := file.Read(name, filesLimit)
		text += fmt.Sprintf("\n%q %x %v", name, sha256.Sum256(data), err)
	}
	return text
}

// named returns the paths of the files that the API configuration names, each once: documents, certificates, definitions, and those of
// variables.
func (f Files) named() (paths []string) {
	source := desired.FromSystem(os.LookupEnv, config.IsSecret)
	read := source.ReadFile
	source.ReadFile = func(path string) ([]byte, error) {
		paths = append(paths, path)
		return read(path)
	}
	_, _ = desired.Load(source, f.Config) // an attempt reports the mistakes
	slices.Sort(paths)
	return slices.Compact(paths)
}

// digestOf returns what is different after a change of a file.
func digestOf(path string) string {
	sum := sha256.New()
	f, err := file.Open(path, wso2.MaxUpload)
	if err == nil {
		defer f.Close()
		_, err = io.Copy(sum, io.LimitReader(f, wso2.MaxUpload))
	}
	return fmt.Sprintf("%x %v", sum.Sum(nil), err)
}

// Folder returns the folder in which files of the API configuration change: the configuration itself if it is a folder.
func (f Files) Folder() string {
	if info, err := os.Stat(f.Config); err == nil && info.IsDir() {
		return f.Config
	}
	return filepath.Dir(f.Config)
}

// Folders are the folders in which a change can concern the desired state, by the agent's settings.
func Folders(c config.Config) []string {
	folders := []string{FilesOf(c).Folder(), notify.ControlOf(c).Dir, filepath.Dir(c.Bootstrap.KeysFile)}
	if c.Trust.CAFile != "" { // the folder of an empty path is the process's own, in a container the root, where /proc changes all the time
		folders = append(folders, filepath.Dir(c.Trust.CAFile))
	}
	return folders
}

// CheckKeys returns an error that wraps [ErrPermanent] if the agent could not write a file with the keys. The agent calls it
// before it changes a server.
func (f Files) CheckKeys() error {
	if err := f.Keys.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	return nil
}

// Lock keeps other agents with the same keys file from the servers until unlock is called. A restart of a whole Compose
// project runs a bootstrap and API-M's sidecar at the same time. The system releases the lock when the process exits. Lock
// calls wait if it has to wait.
func (f Files) Lock(ctx context.Context, wait func()) (unlock func(), err error) {
	return file.Lock(ctx, filepath.Join(f.workDir(), "bootstrap.lock"), wait)
}

// TryLock is Lock without the wait: ok is false while another agent works on the servers.
func (f Files) TryLock() (unlock func(), ok bool, err error) {
	return file.TryLock(filepath.Join(f.workDir(), "bootstrap.lock"))
}

// Owner returns a short name that all agents with the same keys file share, for [Settings] and for the verification. Only one
// of them works on the servers at a time. Owner makes the name if there is none.
func (f Files) Owner() (string, error) {
	path := filepath.Join(f.workDir(), "owner")
	if owner, ok := readOwner(path); ok {
		return owner, nil
	}
	unlock, err := file.Lock(context.Background(), path+".lock", nil) // a holder only reads and writes the name
	if err != nil {
		return "", fmt.Errorf("write the name under which this agent works on the servers: %w", err)
	}
	defer unlock()
	if owner, ok := readOwner(path); ok {
		return owner, nil
	}
	owner := strings.ToLower(rand.Text()[:8])
	if _, err := file.Write(path, []byte(owner+"\n"), 0o600, f.workDir()); err != nil {
		return "", fmt.Errorf("write the name under which this agent works on the servers: %w", err)
	}
	return owner, nil
}

func readOwner(path string) (owner string, ok bool) {
	data, err := file.Read(path, 64)
	owner = strings.TrimSpace(string(data))
	return owner, err == nil && ownerForm.MatchString(owner)
}

var ownerForm = regexp.MustCompile(`^[a-z0-9]{8}$`)

// Made returns what an earlier run has made, by the keys file. It returns the zero value if the file cannot be read.
func (f Files) Made() Made {
	data, _ := file.Read(f.Keys.JSON, filesLimit)
	return MadeBefore(data)
}

// Key returns the first key of the keys file; the zero value if the file cannot be read.
func (f Files) Key() keysfile.Key {
	data, _ := file.Read(f.Keys.JSON, filesLimit)
	return firstKey(data)
}

// Clients reads the clients of all applications that can get tokens from the keys file, those of the first application first. Every error
// wraps [ErrPermanent].
func (f Files) Clients() ([]keysfile.Key, error) {
	data, err := file.Read(f.Keys.JSON, filesLimit)
	if err != nil {
		return nil, remedy.Add(Permanent(fmt.Errorf("read the application's keys: %w", err)), "run agent bootstrap, which writes them, or set KEYS_FILE")
	}
	keys, _ := keysfile.Decode(data)
	keys = slices.DeleteFunc(keys, func(k keysfile.Key) bool { return k.ConsumerKey == "" || k.TokenEndpoint == "" })
	if len(keys) == 0 {
		return nil, remedy.Add(Permanent(fmt.Errorf("read the application's keys: %s is not what a bootstrap writes", f.Keys.JSON)), "run agent bootstrap")
	}
	return keys, nil
}

// UnchangedPath returns the path of what runs know of APIs that have what the file says.
func (f Files) UnchangedPath() string { return filepath.Join(f.workDir(), "unchanged.json") }

// ForgetUnchanged makes the next run read everything: no list shows that the deployments of an API have changed.
func (f Files) ForgetUnchanged() error {
	_, err := file.Remove(f.UnchangedPath())
	return err
}

func (f Files) workDir() string { return keysfile.WorkDir(f.Keys.JSON) }
