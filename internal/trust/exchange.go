package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// What callers tell apart with errors.Is.
var (
	// ErrNotPublished: the peer has put no certificate on the exchange volume yet.
	ErrNotPublished = errors.New("no certificate published yet")
	// ErrRefused: what the peer has published is no list of public certificates.
	ErrRefused = errors.New("refused")
)

// Limits on what a peer may publish.
const (
	exchangeLimit   = 64 << 10 // bytes of one file
	MaxCertificates = 16       // of one server: one in use, one announced, one being retired, and room
)

const (
	certsFile   = "certs.pem"
	trustsFile  = "trusts.json"
	caFile      = "ca.pem"
	closingFile = "closing.json"
	turnFile    = "turn.json"
	// successorsFile is apart from certsFile because an agent of an older version would take each certificate there for one that
	// the server is about to present, and restart for it.
	successorsFile = "successors.pem"
)

// patience is how long a reader waits for a server's files to be whole.
const patience = 2 * time.Second

// Exchange is the volume that all agents share, as the agent of one server sees it. An agent writes only in the
// folder of its own name, so that no file has two writers.
type Exchange struct {
	Dir  string
	Name string // the own server

	seen map[string]seen // by path, see Look
}

// seen is what a look at a file has found.
type seen struct {
	name, base string
	info       fs.FileInfo // of the file just before it was read; nil if there was none
	data       []byte
	err        error
}

// Look returns the exchange as it is now: of the named servers' files that concern trust it goes on telling what they hold at
// this moment. A file that somebody is writing is waited for, but no server's for more than two seconds, and all at the
// same time. So it is to be called before a lock is taken, and what follows reads nothing that others could hold up.
func (e Exchange) Look(ctx context.Context, names ...string) Exchange {
	found := make(chan map[string]seen)
	for _, name := range names {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			files := map[string]seen{}
			for _, base := range []string{certsFile, successorsFile, caFile, trustsFile} { // in the order of Statement
				whole := wholeCertificates
				if base == trustsFile {
					whole = wholeTrusts
				}
				info := e.stat(name, base)
				data, err := e.read(ctx, name, base, whole)
				files[filepath.Join(e.Dir, name, base)] = seen{name, base, info, data, err}
			}
			found <- files
		}()
	}
	all := map[string]seen{}
	for range names {
		maps.Copy(all, <-found)
	}
	e.seen = all
	return e
}

// Current reports whether the files that the look has read are still the same. It reads none of them. A file that was
// there and could not be read does not count: nothing was taken from it, and what somebody writes all the time is never the same.
func (e Exchange) Current() bool {
	for _, s := range e.seen {
		if s.err != nil && s.info != nil && !errors.Is(s.err, ErrNotPublished) {
			continue
		}
		if !file.Same(e.stat(s.name, s.base), s.info) {
			return false
		}
	}
	return true
}

// stat returns nil if the file cannot be found.
func (e Exchange) stat(name, base string) fs.FileInfo {
	folder, err := os.OpenRoot(filepath.Join(e.Dir, name))
	if err != nil {
		return nil
	}
	defer folder.Close()
	info, err := folder.Stat(base)
	if err != nil {
		return nil
	}
	return info
}

func wholeCertificates(data []byte) error {
	_, err := parseCertificates(data)
	return err
}

func wholeTrusts(data []byte) error { return json.Unmarshal(data, &Trusts{}) }

// Files are those that the agents of the named servers write: nothing else in their folders counts.
func (e Exchange) Files(names ...string) (paths []string) {
	for _, name := range names {
		for _, base := range []string{certsFile, successorsFile, trustsFile, caFile, closingFile, turnFile} {
			paths = append(paths, filepath.Join(e.Dir, name, base))
		}
	}
	return paths
}

// Publish makes certs the server's published certificates: the one in use first. Publishing the same again changes
// nothing. A certificate that peers would refuse is not published.
func (e Exchange) Publish(certs []keystore.Certificate) (changed bool, err error) {
	data, err := encodeCertificates(certs)
	if err != nil {
		return false, fmt.Errorf("publish a certificate of this server: %w", err)
	}
	return e.write(certsFile, data)
}

func encodeCertificates(certs []keystore.Certificate) (data []byte, err error) {
	for _, c := range certs {
		if err := javacert.Check(c.DER); err != nil {
			return nil, err
		}
		data = append(data, c.PEM()...)
	}
	return data, nil
}

// PublishCA makes ca the CA that has signed the server's certificate in use, and nil that there is none.
func (e Exchange) PublishCA(ca *keystore.Certificate) (changed bool, err error) {
	if ca == nil {
		return e.remove(caFile)
	}
	if err := javacert.Check(ca.DER); err != nil {
		return false, fmt.Errorf("publish the CA of this server: %w", err)
	}
	return e.write(caFile, ca.PEM())
}

// CA returns the CA that the named server has published; ok is false where it has published none. It must be a CA, and must
// have signed leaf: the error wraps ErrRefused where that is not so.
func (e Exchange) CA(ctx context.Context, name string, leaf keystore.Certificate) (ca keystore.Certificate, ok bool, err error) {
	var certs []keystore.Certificate
	_, err = e.read(ctx, name, caFile, func(data []byte) error {
		certs, err = parseCertificates(data)
		return err
	})
	if errors.Is(err, ErrNotPublished) {
		return ca, false, nil
	}
	if err != nil {
		return ca, false, err
	}
	if err := CheckCA(leaf, certs[0]); err != nil {
		return ca, false, fmt.Errorf("the CA that %s has published: %w", name, err)
	}
	return certs[0], true, nil
}

// Trusts is what a server's agent says of the running server: it is the answer to a certificate that a peer announces.
type Trusts struct {
	Generation   string   `json:"generation"`   // with which the running server started
	Fingerprints []string `json:"fingerprints"` // of the peers' certificates that it trusts
	// After is the time before which the server does not restart, because its restart waits for people. It is zero if none waits, and
	// Never if it waits for an approval.
	After time.Time `json:"after,omitzero"`
}

// Never is the value of Trusts.After while a restart waits for an approval.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Acknowledge publishes what the own running server trusts.
func (e Exchange) Acknowledge(t Trusts) (changed bool, err error) {
	return e.writeJSON(trustsFile, t)
}

// Trusts returns what the named server's agent has last acknowledged; nothing if it has not yet.
func (e Exchange) Trusts(ctx context.Context, name string) (t Trusts, err error) {
	t, _, err = readJSON[Trusts](ctx, e, name, trustsFile)
	return t, err
}

// Closing is what the agent beside IS says of the settings that keep API subscribers out of IS's administration. An agent
// elsewhere, which finds IS open, learns from it whether that is about to end.
type Closing struct {
	// AllScopes is what becomes of [oauth] authorize_all_scopes = true in IS's deployment.toml; empty where it is not there.
	AllScopes AllScopes `json:"allScopes,omitempty"`
	// SCIM11 says that the file closes SCIM 1.1.
	SCIM11 bool `json:"scim11,omitempty"`
	// Handler: the handler that tells API-M of revoked tokens lies where IS gets it from.
	Handler bool `json:"revocationHandler,omitempty"`
	// CertificateUser: IS is of a version that takes a client certificate only for the user that it is mapped to.
	CertificateUser bool `json:"certificateUser,omitempty"`
	// Restart is when the running IS reads the file as it is now; empty where it has.
	Restart Restart `json:"restart,omitempty"`
}

// AllScopes is what becomes of authorize_all_scopes = true.
type AllScopes string

// What becomes of it.
const (
	AllScopesKept  AllScopes = "kept"  // it stays: a person has set it, or SCOPES is all
	AllScopesWaits AllScopes = "waits" // it goes as soon as every application is authorized
)

// Restart is when a server reads its changed settings.
type Restart string

// When that is.
const (
	RestartDue    Restart = "due"     // the agent restarts the server
	RestartByHand Restart = "by hand" // when a person restarts it, if none has since
)

// SayClosing publishes what this agent says about its own server.
func (e Exchange) SayClosing(c Closing) (changed bool, err error) {
	return e.writeJSON(closingFile, c)
}

// Closing returns what the named server's agent has said; ok is false where it has said nothing.
func (e Exchange) Closing(ctx context.Context, name string) (c Closing, ok bool, err error) {
	return readJSON[Closing](ctx, e, name, closingFile)
}

// Certificates returns what the named server has published, the certificate in use first. Errors wrap ErrNotPublished
// or ErrRefused; they name the file and the remedy.
func (e Exchange) Certificates(ctx context.Context, name string) (certs []keystore.Certificate, err error) {
	_, err = e.read(ctx, name, certsFile, func(data []byte) error {
		certs, err = parseCertificates(data)
		return err
	})
	if err != nil {
		return nil, err
	}
	return certs, nil
}

func (e Exchange) write(name string, data []byte) (changed bool, err error) {
	own, err := e.own(name)
	if err != nil {
		return false, err
	}
	defer own.Close()
	if changed, err = file.WriteIn(own, name, data, 0o644, file.WorkDir); err != nil {
		return false, fmt.Errorf("publish in %s: %w", filepath.Join(e.Dir, e.Name), err)
	}
	return changed, nil
}

// writeJSON publishes v as a JSON document.
func (e Exchange) writeJSON(name string, v any) (changed bool, err error) {
	data, err := file.EncodeJSON(v)
	if err != nil {
		return false, err
	}
	return e.write(name, data)
}

// readJSON returns the JSON document that the named server's agent has published as base. ok is false if it has published
// none. v is the zero value on an error.
func readJSON[T any](ctx context.Context, e Exchange, name, base string) (v T, ok bool, err error) {
	var decoded T
	_, err = e.read(ctx, name, base, func(data []byte) error {
		decoded = *new(T) // an earlier read may have decoded a part of a file that was being written
		return json.Unmarshal(data, &decoded)
	})
	switch {
	case errors.Is(err, ErrNotPublished):
		return v, false, nil
	case err != nil:
		return v, false, err
	}
	return decoded, true, nil
}

func (e Exchange) remove(name string) (changed bool, err error) {
	own, err := e.own(name)
	if err != nil {
		return false, err
	}
	defer own.Close()
	return file.RemoveIn(own, name)
}

// own opens the own folder, and makes it if need be, so that the file name can be changed there. Whoever can put a
// link on the volume must not make this agent write elsewhere.
func (e Exchange) own(name string) (*os.Root, error) {
	root, err := os.OpenRoot(e.Dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil, remedy.Add(fmt.Errorf("publish on the exchange volume: %w", err), "every agent must be able to read it")
	}
	if err != nil { // not wrapped: a missing volume is a mistake, and no file that comes later
		return nil, remedy.Add(fmt.Errorf("publish on the exchange volume: no folder at %s", e.Dir),
			"mount the volume that all agents share there, or set EXCHANGE_DIR")
	}
	defer root.Close()
	own, err := e.open(root, name)
	if err != nil {
		return nil, fmt.Errorf("publish on the exchange volume: %w", err)
	}
	return own, nil
}

func (e Exchange) open(root *os.Root, name string) (*os.Root, error) {
	if err := root.Mkdir(e.Name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, remedy.Add(err, "every agent must be able to make its folder there")
	}
	if info, err := root.Lstat(e.Name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, linkError(filepath.Join(e.Dir, e.Name))
	}
	own, err := root.OpenRoot(e.Name)
	if err != nil {
		return nil, err
	}
	if err := e.check(root, own, name); err != nil {
		own.Close()
		return nil, err
	}
	return own, nil
}

// check returns an error unless own is the folder of the own name in root, belongs to this process's user, and has no
// links where the file name is written.
func (e Exchange) check(root, own *os.Root, name string) error {
	there, err := root.Lstat(e.Name)
	if err != nil {
		return err
	}
	opened, err := own.Stat(".")
	if err != nil {
		return err
	}
	if !os.SameFile(there, opened) {
		return remedy.Add(fmt.Errorf("%w: %s has been replaced just now", ErrRefused, filepath.Join(e.Dir, e.Name)), "look who writes there")
	}
	if err := file.CheckOwner(filepath.Join(e.Dir, e.Name)); err != nil {
		return err
	}
	for _, name := range []string{name, file.WorkDir} {
		if info, err := own.Lstat(name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return linkError(filepath.Join(e.Dir, e.Name, name))
		}
	}
	return nil
}

func linkError(path string) error {
	return remedy.Add(fmt.Errorf("%w: %s is a symbolic link", ErrRefused, path), "remove it, and look who writes there")
}

// read reads one of the named server's files until it is whole.
func (e Exchange) read(ctx context.Context, name, base string, whole func([]byte) error) ([]byte, error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return nil, fmt.Errorf("read from the exchange volume: %w: %q is no name of a server", ErrRefused, name)
	}
	path := filepath.Join(e.Dir, name, base)
	if s, ok := e.seen[path]; ok {
		if s.err != nil {
			return nil, s.err
		}
		return s.data, whole(s.data)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	data, err := e.readWhole(ctx, name, base, whole)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w (%s); is the agent next to %s running, with the same volume?", name, ErrNotPublished, path, name)
	case errors.Is(err, file.ErrTooLarge):
		return nil, fmt.Errorf("%w what %s has published: %w", ErrRefused, name, err)
	case err != nil:
		return nil, fmt.Errorf("what %s has published: %w", name, shortened{err})
	}
	return data, nil
}

// readWhole follows links in the named server's folder, as Kubernetes makes them, and none that leads out of it.
func (e Exchange) readWhole(ctx context.Context, name, base string, whole func([]byte) error) ([]byte, error) {
	folder, err := os.OpenRoot(filepath.Join(e.Dir, name))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return file.ReadStableIn(ctx, folder, base, exchangeLimit, whole)
}

// shortened is an error about what somebody else wrote. It may repeat much of that, and is logged again and again.
type shortened struct{ error }

// maxMessage is how much of such an error is shown, in bytes.
const maxMessage = 500

func (s shortened) Error() string {
	text := s.error.Error()
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + fmt.Sprintf("... (%d bytes in all)", len(text))
}

func (s shortened) Unwrap() error { return s.error }

// parseCertificates reads the public certificates that a server has published.
func parseCertificates(data []byte) ([]keystore.Certificate, error) {
	certs, err := keystore.PEM{Max: MaxCertificates, Strict: true}.Certificates(data)
	switch {
	case errors.Is(err, keystore.ErrPEMKey):
		return nil, remedy.Add(fmt.Errorf("%w: it %w", ErrRefused, err), "remove the file and replace that key, because it is no longer secret")
	case err != nil:
		return nil, fmt.Errorf("%w: it %w", ErrRefused, err)
	}
	for _, c := range certs {
		if _, err := c.Parse(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return certs, nil
}
