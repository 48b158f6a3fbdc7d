package trust

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

// Rotation is how far a server's change of its own certificate has come:
//
//	announce -> every peer trusts the new one beside the old -> switch -> the old one is retired
//
// It is derived from the files each time: what the running server presents, what its next start would present, and what
// was published before. Only the times are remembered, so an agent that was killed goes on where it was.
type Rotation struct {
	Announced string               `json:"announced,omitempty"` // fingerprint of the certificate that waits for the switch
	Since     time.Time            `json:"since,omitzero"`      // when it was announced
	Retired   map[string]time.Time `json:"retired,omitempty"`   // when the server was switched away from each
}

// rotationFile is where the times are kept, in the agent's folder on the config volume.
const rotationFile = "rotation.json"

// LoadRotation reads what was remembered in workDir; nothing where there is no rotation.
func LoadRotation(workDir string) (r Rotation, err error) {
	path := filepath.Join(workDir, rotationFile)
	if r, _, err = file.LoadJSON[Rotation](path, exchangeLimit); err != nil {
		return r, fmt.Errorf("read how far the rotation has come: %w; remove %s, and its waiting begins anew", err, path)
	}
	return r, nil
}

// Save remembers the times in workDir. Where nothing has changed nothing is written.
func (r Rotation) Save(workDir string) error {
	if r.Announced == "" && len(r.Retired) == 0 {
		if before, err := LoadRotation(workDir); err == nil && before.Announced == "" && len(before.Retired) == 0 {
			return nil
		}
	}
	if _, err := file.SaveJSON(filepath.Join(workDir, rotationFile), r, 0o600, workDir); err != nil {
		return fmt.Errorf("remember how far the rotation has come: %w", err)
	}
	return nil
}

// Next works out what the server's agent is to publish: the certificate in use, the next one if that is another, and those
// on their way out for as long as grace says. before is what it has published so far. Where it is not known what the running
// server presents, nothing of that begins its way out. The result has the times as they are now.
func (r Rotation) Next(inUse, next keystore.Certificate, before []keystore.Certificate, known bool, now time.Time, grace time.Duration) (Rotation, []keystore.Certificate) {
	publish := []keystore.Certificate{inUse}
	var after Rotation
	if next.Fingerprint() != inUse.Fingerprint() {
		publish = append(publish, next)
		after.Announced, after.Since = next.Fingerprint().String(), r.Since
		if r.Announced != after.Announced || r.Since.After(now) { // a clock that was put back must not make it wait for ever
			after.Since = now
		}
	}
	for _, c := range before {
		isListed := func(other keystore.Certificate) bool { return other.Fingerprint() == c.Fingerprint() }
		if slices.ContainsFunc(publish, isListed) || len(publish) == maxCertificates {
			continue
		}
		f := c.Fingerprint().String()
		since, retired := r.Retired[f]
		if !retired && !known {
			publish = append(publish, c)
			continue
		}
		if !retired || since.After(now) {
			since = now
		}
		if now.Sub(since) >= grace {
			continue
		}
		if after.Retired == nil {
			after.Retired = map[string]time.Time{}
		}
		after.Retired[f] = since
		publish = append(publish, c)
	}
	return after, publish
}

// Changes is when the next thing happens by the clock alone; zero for never.
func (r Rotation) Changes(grace time.Duration) (at time.Time) {
	for _, since := range r.Retired {
		if end := since.Add(grace); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// Deadline is when the switch no longer waits for peers: when patience has run out, or the certificate in use is about to.
func (r Rotation) Deadline(inUse keystore.Certificate, patience time.Duration) time.Time {
	deadline := r.Since.Add(patience)
	if end := r.End(inUse); !end.IsZero() && end.Before(deadline) {
		return end
	}
	return deadline
}

// End is when the certificate in use is so near its end that the switch waits for nobody; zero for never. One that had
// expired already when the next was announced works all the same, by its fingerprint, and is no reason to hurry.
func (r Rotation) End(inUse keystore.Certificate) time.Time {
	parsed, err := inUse.Parse()
	if err != nil {
		return time.Time{}
	}
	const margin = time.Minute // a restart takes its time, too
	if end := parsed.NotAfter.Add(-margin); end.After(r.Since) {
		return end
	}
	return time.Time{}
}
