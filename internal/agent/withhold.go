package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
)

// withheld are the certificates that peers publish and the agent does not import now.
type withheld struct {
	refused map[string][]string  // because the server did not start with them: short fingerprints by the peer's name
	paced   map[string]time.Time // because the peer changes them too often: until when, by its name
	file    string               // that remembers the refused ones
}

// withhold takes out of peers what is not to be imported now, and remembers what is. running is what the server started with;
// nil where none runs, and an import restarts nothing.
func (a Agent) withhold(peers trust.Peers, running *notify.Started) (w withheld, err error) {
	w = withheld{refused: map[string][]string{}, paced: map[string]time.Time{}, file: trust.RefusalsPath(a.cfg.WorkDir())}
	refusals, err := trust.LoadRefusals(a.cfg.WorkDir())
	if err == nil {
		refusals, err = refusals.Forget(peers, a.cfg.WorkDir())
	}
	if err != nil {
		return w, err
	}
	for _, name := range slices.Collect(maps.Keys(peers)) {
		keep(peers, name, func(c keystore.Certificate) bool {
			refused := refusals.Has(name, c)
			if refused {
				w.refused[name] = append(w.refused[name], c.Fingerprint().Short())
			}
			return !refused
		})
	}
	now := time.Now()
	histories := trust.LoadHistories(a.cfg.WorkDir())
	for _, name := range a.cfg.Peers {
		h := histories[name]
		if at, _ := a.pace().Next(h.Changes, now); running != nil && now.Before(at) {
			keep(peers, name, func(c keystore.Certificate) bool {
				if !h.Has(c) {
					w.paced[name] = at
				}
				return h.Has(c)
			})
		}
		if certs := peers[name]; len(certs) > 0 {
			histories[name] = h.With(certs, running != nil, now, a.pace())
		}
	}
	return w, histories.Save(a.cfg.WorkDir())
}

// keep keeps those of a peer's certificates that wanted accepts. A peer of which none is left is as one that has published
// nothing: what is trusted of it stays.
func keep(peers trust.Peers, name string, wanted func(keystore.Certificate) bool) {
	certs, there := peers[name]
	if !there {
		return
	}
	certs = slices.DeleteFunc(slices.Clone(certs), func(c keystore.Certificate) bool { return !wanted(c) })
	if len(certs) == 0 {
		delete(peers, name)
		return
	}
	peers[name] = certs
}

func (a Agent) pace() trust.Pace { return trust.PaceOf(a.cfg.MaxRestarts, a.cfg.RestartWindow) }

// String is one line; empty where nothing is withheld.
func (w withheld) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(w.refused)) {
		parts = append(parts, fmt.Sprintf("certificate %s of %s is not imported, because the server did not start with it", strings.Join(w.refused[name], ", "), name))
	}
	for _, name := range slices.Sorted(maps.Keys(w.paced)) {
		parts = append(parts, fmt.Sprintf("the certificate of %s changes too often, and its next one is imported at %s", name, w.paced[name].UTC().Format(time.RFC3339)))
	}
	return strings.Join(parts, "; ")
}

// tellRefused logs what is refused.
func (a Agent) tellRefused(w withheld) {
	for _, name := range slices.Sorted(maps.Keys(w.refused)) {
		a.log.Error("a certificate is not imported, because the server did not start with it; it is tried again when its owner publishes another one, or the file is removed", "server", name,
			"fingerprint", strings.Join(w.refused[name], ", "), "remedy", "look for the reason in the server's own log, and give "+name+" another certificate", "file", w.file)
	}
}

// tellPaced logs which peers change their certificates too often, once for each until it is calm. told are those of which
// that is known; it returns those of which it is now.
func (a Agent) tellPaced(w withheld, told map[string]bool, now time.Time) map[string]bool {
	after := map[string]bool{}
	histories := trust.LoadHistories(a.cfg.WorkDir())
	for name := range told {
		if _, calm := a.pace().Next(histories[name].Changes, now); now.Before(calm) {
			after[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.paced)) {
		if !after[name] {
			a.log.Warn("a peer's certificate changes too often: its changes are imported less and less often, so that they do not restart the server all the time", "peer", name,
				"next", w.paced[name].UTC().Format(time.RFC3339), "remedy", "find out what changes "+name+"'s certificate")
		}
		after[name] = true
	}
	return after
}
