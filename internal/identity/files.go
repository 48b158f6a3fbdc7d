package identity

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

// Alias is the alias of the key in the keystores that the agent makes.
const Alias = "tls"

// fileLimit is the most that the agent reads of one file, in bytes.
const fileLimit = 1 << 20

// Files says where the TLS identity of a server lies. It has a keystore of its own next to the primary one, which signs tokens
// and encrypts secrets.
type Files struct {
	Keystore string // from which the next start of the server presents its certificate
	// WorkDir is the agent's folder on the same volume. A new identity waits there until the switch, because the server's
	// entrypoint does not copy it from there.
	WorkDir  string
	Password string // of the keystores
	// Decoded spares Read the decoding of keystores that it has decoded before; nil for none.
	Decoded *Decoded
}

// Decoded has the identities in the keystores of the last Files.Read, by a hash of the password and the bytes. The decoding of one
// keystore takes 4 ms or more of a processor, because its key comes from the password in many rounds. It is not safe for use by
// several goroutines at once.
type Decoded struct {
	before, now map[[sha256.Size]byte]Identity
}

// next forgets what the last Read has not found.
func (d *Decoded) next() {
	if d != nil {
		d.before, d.now = d.now, map[[sha256.Size]byte]Identity{}
	}
}

// identity returns the identity in a keystore. It keeps no error.
func (d *Decoded) identity(data []byte, password string) (id Identity, err error) {
	if d == nil || d.now == nil {
		return FromKeystore(data, password, Alias)
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%q %s", password, data))
	id, ok := d.before[key]
	if !ok {
		id, err = FromKeystore(data, password, Alias)
	}
	if err == nil {
		d.now[key] = id
	}
	return id, err
}

func (f Files) staged() string    { return filepath.Join(f.WorkDir, "identity", "next.p12") }
func (f Files) putAside() string  { return filepath.Join(f.WorkDir, "identity", "unreadable.p12") }
func (f Files) requested() string { return filepath.Join(f.WorkDir, "rotate") }

// Held is what a server has as its TLS identity.
type Held struct {
	Installed   *Identity   // what the next start of the server presents; nil if there is none
	Staged      *Identity   // what waits to be installed; nil if nothing does
	Successors  []*Identity // in the pool: the one that ends first before the others, then by fingerprint
	Requested   bool        // somebody asks for a new one
	Compromised bool        // the request says that the keys are no secret any more: those of the successors neither
	// InstalledErr and StagedErr say why a keystore that is there cannot be read; its identity is nil then.
	InstalledErr, StagedErr error
	// SuccessorsErr names each file of the pool that cannot be read, and why. Successors leaves them out. See PutAsideSuccessors.
	SuccessorsErr error
}

// Read returns what is there. A keystore that cannot be read, though nobody is writing it, is not an error: Held says so.
func (f Files) Read(ctx context.Context) (h Held, err error) {
	f.Decoded.next()
	if h.Installed, h.InstalledErr, err = f.load(ctx, f.Keystore); err != nil {
		return Held{}, err
	}
	if h.Staged, h.StagedErr, err = f.load(ctx, f.staged()); err != nil {
		return Held{}, err
	}
	successors, unreadable, err := f.readPool(ctx)
	if err != nil {
		return Held{}, err
	}
	h.Successors, h.SuccessorsErr = successors, joined(unreadable)
	_, asked := os.Stat(f.requested())
	h.Requested, h.Compromised = asked == nil, f.compromised()
	return h, nil
}

// load returns nil for a file that does not exist. bad says why the content of a file is not an identity.
func (f Files) load(ctx context.Context, path string) (id *Identity, bad, err error) {
	var loaded Identity
	_, err = file.ReadStable(ctx, path, fileLimit, func(data []byte) error {
		loaded, bad = f.Decoded.identity(data, f.Password)
		return bad
	})
	switch {
	case err == nil:
		return &loaded, nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil
	case bad == nil || ctx.Err() != nil:
		return nil, nil, err
	}
	return nil, err, nil
}

// Stage makes i wait for the switch, which answers a request for a new identity. It writes nothing that is there already. A request
// to throw the successors away, which has come since the caller looked, stays until they are gone.
func (f Files) Stage(i Identity) error {
	if err := f.write(f.staged(), i); err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(f.pool(), "*"+poolExt))
	if err != nil || len(left) > 0 && f.compromised() {
		return err
	}
	_, err = file.Remove(f.requested())
	return err
}

// Unstage removes the identity that waits for the switch, if there is one.
func (f Files) Unstage() error {
	_, err := file.Remove(f.staged())
	return err
}

// Install makes i the identity of the server, from its next start on. It writes nothing that is there already.
func (f Files) Install(i Identity) error { return f.write(f.Keystore, i) }

// PutAside copies what lies in place of the server's keystore into the agent's folder before Install overwrites it: it may be
// somebody's keystore, with another password. It returns the path of the copy, and "" if there is nothing to copy.
func (f Files) PutAside() (copied string, err error) {
	data, err := file.Read(f.Keystore, fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err == nil {
		_, err = file.Write(f.putAside(), data, 0o600, f.WorkDir)
	}
	if err != nil {
		return "", fmt.Errorf("put aside a keystore that cannot be read: %w", err)
	}
	return f.putAside(), nil
}

// compromisedMark is the second line of a request that says so. An agent of an older version only looks whether there is a request.
const compromisedMark = "compromised"

// Request asks the agent next to the server for a new identity. compromised says that somebody may have read the keys: the agent
// then uses none of the successors. A request without it does not take back an earlier one with it. The answer to a request is
// Stage, so drop the successors before.
func (f Files) Request(now time.Time, compromised bool) error {
	text := now.UTC().Format(time.RFC3339Nano) + "\n"
	if compromised || f.compromised() {
		text += compromisedMark + "\n"
	}
	_, err := file.Write(f.requested(), []byte(text), 0o600, f.WorkDir)
	return err
}

// compromised reports whether there is a request that says so, or one that cannot be read: that one may say so.
func (f Files) compromised() bool {
	data, err := file.Read(f.requested(), fileLimit)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.Contains(strings.Split(string(data), "\n"), compromisedMark)
}

// write writes a keystore, unless it holds the identity already: the encryption makes the bytes differ each time.
func (f Files) write(path string, i Identity) error {
	if f.holds(path, i) {
		return nil
	}
	data, err := i.Encode(keystore.PKCS12, Alias, f.Password)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the TLS keystore: %w", err)
	}
	if _, err := file.Write(path, data, 0o600, f.WorkDir); err != nil {
		return fmt.Errorf("write the TLS keystore: %w", err)
	}
	return nil
}

// holds reports whether the keystore at path has an identity.
func (f Files) holds(path string, i Identity) bool {
	data, err := file.Read(path, fileLimit)
	if err != nil {
		return false
	}
	had, err := FromKeystore(data, f.Password, Alias)
	return err == nil && had.SameChain(i)
}

// IsStaged reports whether a file lies where an identity waits for the switch, readable or not.
func (f Files) IsStaged() (bool, error) {
	_, err := os.Stat(f.staged())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
