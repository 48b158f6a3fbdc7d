package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// WayBack is the way back to a truststore with which the server has served, for a start that fails after an import: what Go
// can read, Java may refuse.
type WayBack struct {
	Path    string // of the truststore
	WorkDir string // of the agent, for that truststore
}

// ErrBusy says that somebody else is working on the truststore.
var ErrBusy = errors.New("somebody else is working on the truststore")

// Verdict is what a failed start came to.
type Verdict string

const (
	// Unrelated: the server has served with this truststore, or nothing was imported since.
	Unrelated Verdict = "unrelated"
	// Restored: the former truststore is back, and what was imported since is refused.
	Restored Verdict = "restored"
	// Acquitted: the former truststore was back already, so what was refused is not the reason, and may be imported.
	Acquitted Verdict = "acquitted"
	// Foreign: somebody else has changed the truststore since, and nothing was put back.
	Foreign Verdict = "foreign"
)

// refusedFile keeps the refusals of a truststore.
const refusedFile = "refused.json"

// Refusals are certificates that peers publish and the server did not start with: fingerprints by the peer's name.
type Refusals struct {
	// Suspected are not imported, because a start with them failed.
	Suspected map[string][]string `json:"suspected,omitempty"`
	// Refused are not imported either, and the server has served without them since: they are the reason.
	Refused map[string][]string `json:"refused,omitempty"`
	// Acquitted are imported, because the server did not start without them either. They are suspected again only after it has
	// served.
	Acquitted map[string][]string `json:"acquitted,omitempty"`
}

// LoadRefusals reads what was refused for the truststore of workDir.
func LoadRefusals(workDir string) (r Refusals, err error) {
	path := RefusalsPath(workDir)
	if r, _, err = file.LoadJSON[Refusals](path, chainLimit); err != nil {
		return r, remedy.Add(fmt.Errorf("read which certificates the server did not start with: %w", err),
			"remove %s, and they are imported again", path)
	}
	return r, nil
}

// RefusalsPath is the file that a person removes to have what was refused imported again.
func RefusalsPath(workDir string) string { return filepath.Join(workDir, refusedFile) }

// Save remembers the refusals in workDir. None leave no file.
func (r Refusals) Save(workDir string) error {
	if len(r.Suspected) == 0 && len(r.Refused) == 0 && len(r.Acquitted) == 0 {
		_, err := file.Remove(RefusalsPath(workDir))
		return err
	}
	_, err := file.SaveJSON(RefusalsPath(workDir), r, 0o600, workDir)
	return err
}

// Starting names the truststore that a start reads now; empty if there is none that can be read.
func (w WayBack) Starting() string {
	data, err := file.Read(w.Path, storeLimit)
	if err != nil {
		return ""
	}
	return digest(data)
}

// Served keeps the truststore with which the server serves, if it is still the one with which it started. It takes the lock
// only where certificates are suspected or acquitted, so that an ordinary start makes no agent wait. While somebody else
// holds it, Served returns ErrBusy.
func (w WayBack) Served(started string) error {
	data, err := file.Read(w.Path, storeLimit)
	if err != nil || digest(data) != started {
		return err // the next start will show
	}
	r, err := LoadRefusals(w.WorkDir)
	if err == nil && r.open() {
		err = w.decide(started)
	}
	if err != nil {
		return err
	}
	if _, err := file.Write(w.Kept(), data, 0o600, w.WorkDir); err != nil {
		return fmt.Errorf("keep the truststore that the server serves with: %w", err)
	}
	return nil
}

// decide notes what a server that serves says of the certificates in question.
func (w WayBack) decide(started string) error {
	unlock, ok, err := file.TryLock(w.lock())
	if err != nil {
		return err
	}
	if !ok {
		return ErrBusy
	}
	defer unlock()
	r, err := LoadRefusals(w.WorkDir)
	if err != nil {
		return err
	}
	former, err := file.Read(w.Kept(), storeLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// After a kill before the former truststore was put back the server serves with what was suspected.
	var with map[string][]string
	if c := loadChain(w.WorkDir); len(c) > 0 && c[len(c)-1].Digest == started {
		with, _ = c.since(digest(former))
	}
	return r.served(with).Save(w.WorkDir)
}

// open reports whether it depends on the next start what becomes of any certificate.
func (r Refusals) open() bool { return len(r.Suspected) > 0 || len(r.Acquitted) > 0 }

// served are the refusals after the server has served with the given certificates.
func (r Refusals) served(with map[string][]string) Refusals {
	refused := map[string][]string{}
	addAll(refused, r.Refused)
	for name, suspected := range r.Suspected {
		guilty := slices.DeleteFunc(slices.Clone(suspected), func(f string) bool { return slices.Contains(with[name], f) })
		addAll(refused, map[string][]string{name: guilty})
	}
	return Refusals{Refused: refused}
}

// Failed puts back the truststore with which the server last served, if the start that failed may have failed for what was
// imported since. refused are the certificates that are not imported again until their peers publish others; with Acquitted
// those that are imported again.
func (w WayBack) Failed(ctx context.Context, started string) (v Verdict, refused map[string][]string, err error) {
	unlock, err := file.Lock(ctx, w.lock(), func() {})
	if err != nil {
		return Unrelated, nil, err
	}
	defer unlock()
	r, err := LoadRefusals(w.WorkDir)
	if err != nil {
		return Unrelated, nil, err
	}
	former, err := file.Read(w.Kept(), storeLimit)
	if errors.Is(err, fs.ErrNotExist) { // it has never served
		return Unrelated, nil, nil
	}
	if err != nil {
		return Unrelated, nil, err
	}
	onDisk, err := file.Read(w.Path, storeLimit)
	if err != nil {
		return Unrelated, nil, err
	}
	before := r
	v, r = judgeStart(started, digest(onDisk), digest(former), loadChain(w.WorkDir), r)
	if v == Restored || v == Acquitted {
		// Before the truststore, so that no agent imports again what is refused, whatever happens in between.
		if err := r.Save(w.WorkDir); err != nil {
			return Unrelated, nil, fmt.Errorf("note which certificates the server did not start with: %w", err)
		}
	}
	if v == Restored {
		if _, err := file.Replace(w.Path, onDisk, former, 0o600, w.WorkDir); err != nil {
			return Unrelated, nil, fmt.Errorf("put the former truststore back: %w", errors.Join(err, before.Save(w.WorkDir)))
		}
		return v, r.Suspected, nil
	}
	return v, r.Acquitted, nil
}

// judgeStart is what follows from a start that failed: with the truststore started, while onDisk is there and former is the
// one to go back to.
func judgeStart(started, onDisk, former string, c chain, r Refusals) (Verdict, Refusals) {
	if started == "" || onDisk != started { // the next start reads another one anyway
		return Unrelated, r
	}
	if started == former {
		if len(r.Suspected) == 0 {
			return Unrelated, r
		}
		acquitted := map[string][]string{}
		addAll(acquitted, r.Acquitted)
		addAll(acquitted, r.Suspected)
		return Acquitted, Refusals{Refused: r.Refused, Acquitted: acquitted}
	}
	added, own := c.since(former)
	if !own || len(c) == 0 || c[len(c)-1].Digest != started {
		return Foreign, r
	}
	suspects := map[string][]string{}
	for name, fingerprints := range added {
		fresh := slices.DeleteFunc(slices.Clone(fingerprints), func(f string) bool { return slices.Contains(r.Acquitted[name], f) })
		if len(fresh) > 0 {
			suspects[name] = fresh
		}
	}
	if len(suspects) == 0 {
		return Unrelated, r
	}
	addAll(suspects, r.Suspected)
	return Restored, Refusals{Suspected: suspects, Refused: r.Refused, Acquitted: r.Acquitted}
}

// Kept is the copy of the truststore with which the server last served.
func (w WayBack) Kept() string { return filepath.Join(w.WorkDir, filepath.Base(w.Path)+".served") }
func (w WayBack) lock() string { return file.LockPath(w.WorkDir) }

// addAll adds the fingerprints of more to all, without doubles.
func addAll(all, more map[string][]string) {
	for name, fingerprints := range more {
		for _, f := range fingerprints {
			if !slices.Contains(all[name], f) {
				all[name] = append(all[name], f)
			}
		}
	}
}
