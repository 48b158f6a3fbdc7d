// Package undo puts the agent's aliases of peers in a truststore back to an earlier point of the audit trail. It notes what these
// peers publish, so that no agent imports that again.
package undo

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/history"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// ErrChanged says that what a person was shown is not what an undo would do now.
var ErrChanged = errors.New("the truststore, or what a peer publishes, has changed since it was shown")

// Plan is what an undo does.
type Plan struct {
	To         int            `json:"to"`         // number of the event after which the aliases were as they are to be
	Truststore string         `json:"truststore"` // path
	Changes    []trust.Change `json:"changes"`
	Undone     trust.Undone   `json:"undone"`  // what the peers of the changes publish now
	UndoneAt   string         `json:"record"`  // path of the record of it
	Restarts   bool           `json:"restart"` // the truststore trusts other certificates after the changes, so a restart is due
	Done       bool           `json:"done"`

	cfg          config.Config
	store        trust.Store
	certificates map[string]keystore.Certificate // by their fingerprints
}

// Read returns what an undo would do. It changes nothing. Errors name each alias that cannot be put back.
func Read(ctx context.Context, cfg config.Config, to int) (*Plan, error) {
	cfg, err := server.AtStores(ctx, cfg)
	if err != nil {
		return nil, err
	}
	folder := notify.ControlOf(cfg).Dir
	p := &Plan{To: to, Truststore: cfg.TruststorePath(), Changes: []trust.Change{}, Undone: trust.Undone{}, UndoneAt: trust.UndonePath(folder), cfg: cfg,
		store: trust.Store{Path: cfg.TruststorePath(), Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}}
	events, err := history.Trail{Dir: folder}.Read()
	if err != nil {
		return nil, err
	}
	entries, err := p.store.Entries(ctx, append(slices.Clone(cfg.Trust.Peers), cfg.Server.Name))
	if err != nil {
		return nil, err
	}
	changes, err := back(events, to, entries, cfg.Trust.Peers, cfg.Server.Name)
	if err != nil {
		return nil, err
	}
	p.Changes = append(p.Changes, changes...)
	p.Restarts = restarts(entries, p.Changes)
	p.certificates = certificatesOf(events, entries)
	for _, c := range p.Changes {
		if err := p.check(c); err != nil {
			return nil, err
		}
		if _, known := p.Undone[c.Owner]; known {
			continue
		}
		said := rotation.Catalog{}.Peer(trust.ExchangeOf(cfg).Statement(ctx, c.Owner), trust.PeerPins(cfg.Trust.Pins), cfg.Trust.Mode == "ca")
		switch err := cmp.Or(said.SuccessorsErr, said.Err); {
		case said.Silent: // whatever it publishes next is something else
		case err != nil:
			return nil, fmt.Errorf("find out what the agent must not import again: %w", err)
		default:
			p.Undone[c.Owner] = said.Statement()
		}
	}
	return p, nil
}

// check returns an error if a certificate that is to be trusted again is not known, or if Java refuses it.
func (p *Plan) check(c trust.Change) error {
	if c.Action == trust.Removed {
		return nil
	}
	certificate, known := p.certificates[c.Fingerprint]
	if !known {
		return remedy.Add(fmt.Errorf("put %s back: the history does not have the certificate %s, which the alias had then", c.Alias, c.Fingerprint),
			"choose a later event, or import the certificate with agent certs import")
	}
	if err := javacert.Check(certificate.DER); errors.Is(err, javacert.ErrRefused) {
		return remedy.Add(fmt.Errorf("put %s back: %w", c.Alias, err), "choose a later event")
	}
	return nil
}

// certificatesOf returns the certificates that the trail and the truststore have, by their fingerprints.
func certificatesOf(events []history.Event, entries []trust.Entry) map[string]keystore.Certificate {
	all := map[string]keystore.Certificate{}
	add := func(c keystore.Certificate) { all[c.Fingerprint().String()] = c }
	for _, e := range events {
		if der, err := base64.StdEncoding.DecodeString(e.Certificate); err == nil && len(der) > 0 {
			add(keystore.Certificate{DER: der})
		}
	}
	for _, e := range entries {
		if e.Certificate != nil {
			add(*e.Certificate)
		}
	}
	return all
}

// Do makes the changes of a plan while no agent works on the files of the server. It calls waiting if it has to wait for one. Errors
// wrap ErrChanged if the plan is not what Read returns any more.
func (p *Plan) Do(ctx context.Context, waiting func()) error {
	if err := p.store.Check(); err != nil { // before the lock is written
		return err
	}
	work := p.cfg.WorkDir()
	unlock, err := file.Lock(ctx, file.LockPath(work), waiting)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := Read(ctx, p.cfg, p.To)
	if err != nil {
		return err
	}
	if !slices.Equal(now.Changes, p.Changes) || !reflect.DeepEqual(now.Undone, p.Undone) {
		return remedy.Add(ErrChanged, "look at the changes again, and decide again")
	}
	folder := notify.ControlOf(p.cfg).Dir
	undone, err := trust.LoadUndone(folder)
	if err != nil {
		return err
	}
	if undone == nil {
		undone = trust.Undone{}
	}
	maps.Copy(undone, p.Undone)
	// Before the truststore: an agent that finds the one without the other would import again what was undone.
	if err := undone.Save(folder); err != nil {
		return err
	}
	if p.Restarts && !slices.ContainsFunc(p.Changes, func(c trust.Change) bool { return c.Fresh }) { // else Import raises it
		if err := trust.RaiseEdition(work); err != nil {
			return err
		}
	}
	if err := trust.Import(ctx, p.store, p.Changes, p.certificates, work); err != nil {
		return err
	}
	p.Done = true
	return history.Trail{Dir: folder}.Append(p.events(time.Now().UTC())...)
}

// events are what the trail says of a plan that was done.
func (p *Plan) events(at time.Time) (events []history.Event) {
	for _, c := range p.Changes {
		e := history.Event{At: at, Server: p.cfg.Server.Name, What: history.Undone, Alias: c.Alias, Peer: c.Owner, Fingerprint: c.Fingerprint, Was: c.Was, Because: fmt.Sprintf("back to event %d", p.To)}
		if c.Action == trust.Removed {
			e.Fingerprint, e.Was = "", c.Fingerprint
		}
		if e.Was != "" {
			e.Certificate = base64.StdEncoding.EncodeToString(p.certificates[e.Was].DER)
		}
		events = append(events, e)
	}
	return events
}
