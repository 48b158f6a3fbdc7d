// Package undo puts the agent's aliases of peers in a truststore back to an earlier point of the audit trail. It notes what these
// peers publish, so that no agent imports that again.
package undo

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/history"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/remedy"
	"wso2agent/internal/rotation"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// Plan is what an undo does.
type Plan struct {
	Truststore string          `json:"truststore"` // path
	Events     []history.Event `json:"events"`     // that the trail gets: one for each alias
	Undone     trust.Undone    `json:"undone"`     // what the peers of these aliases publish now
	UndoneAt   string          `json:"record"`     // path of the record of that
	Done       bool            `json:"done"`

	to           int
	cfg          *config.Config
	folder       string // the agent's on the config volume
	store        trust.Store
	changes      []trust.Change
	certificates map[string]keystore.Certificate // of the trail and the truststore, by their fingerprints
}

// Read returns what puts the aliases back to what they were after the event with the number to; 0 stands for the time before the
// first event. It changes nothing. Errors name an alias that cannot be put back.
func Read(ctx context.Context, cfg config.Config, to int) (*Plan, error) {
	p := &Plan{Undone: trust.Undone{}, to: to, cfg: &cfg, certificates: map[string]keystore.Certificate{}}
	var err error
	if cfg, err = server.AtStores(ctx, cfg); err != nil {
		return nil, err
	}
	p.Truststore, p.folder = cfg.TruststorePath(), notify.ControlOf(cfg).Dir
	p.UndoneAt = trust.UndonePath(p.folder)
	p.store = trust.Store{Path: p.Truststore, Password: cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
	events, err := history.Trail{Dir: p.folder}.Read()
	if err != nil {
		return nil, err
	}
	configured := append([]string{cfg.Server.Name}, cfg.Trust.Peers...)
	entries, err := p.store.Entries(ctx, configured)
	if err != nil {
		return nil, err
	}
	if p.Events, err = back(events, to, entries, configured); err != nil {
		return nil, err
	}
	trusted := map[string]bool{}
	for _, e := range entries {
		if trusted[e.Fingerprint] = true; e.Certificate != nil {
			p.certificates[e.Fingerprint] = *e.Certificate
		}
	}
	for i := range events {
		if der, err := base64.StdEncoding.DecodeString(events[i].Certificate); err == nil && len(der) > 0 {
			c := keystore.Certificate{DER: der}
			p.certificates[c.Fingerprint().String()] = c
		}
	}
	exchange := trust.ExchangeOf(cfg)
	for i := range p.Events {
		e := &p.Events[i]
		change := trust.Change{Action: trust.Removed, Alias: e.Alias, Fingerprint: e.Was, Owner: e.Peer}
		if e.Fingerprint != "" {
			change.Action, change.Fingerprint, change.Fresh = trust.Replaced, e.Fingerprint, !trusted[e.Fingerprint]
		}
		p.changes = append(p.changes, change)
		if _, known := p.certificates[change.Fingerprint]; !known {
			return nil, remedy.Add(fmt.Errorf("put %s back: the history does not have its certificate %s", e.Alias, change.Fingerprint), "choose a later event")
		}
		e.Server, e.Certificate = cfg.Server.Name, base64.StdEncoding.EncodeToString(p.certificates[e.Was].DER)
		said := rotation.Catalog{}.Peer(exchange.Statement(ctx, e.Peer), trust.PeerPins(cfg.Trust.Pins), cfg.Trust.Mode == "ca")
		if err := errors.Join(said.SuccessorsErr, said.Err); err != nil {
			return nil, fmt.Errorf("find out what the agent must not import again: %w", err)
		}
		if !said.Silent { // else whatever it publishes next is something else
			p.Undone[e.Peer] = said.Statement()
		}
	}
	return p, nil
}

// Do does what a person has seen of a plan, while no agent works on the files of the server. It calls waiting if it has to wait for
// one. It changes nothing if the files have changed since.
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
	now, err := Read(ctx, *p.cfg, p.to)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(now.Events, p.Events) || !reflect.DeepEqual(now.Undone, p.Undone) {
		return remedy.Add(errors.New("nothing is undone: the truststore, or what a peer publishes, has changed since it was shown"), "look at the changes again")
	}
	undone, err := trust.LoadUndone(p.folder)
	if err != nil {
		return err
	}
	if undone == nil {
		undone = trust.Undone{}
	}
	maps.Copy(undone, p.Undone)
	// Before the truststore: an agent that finds the one without the other would import again what was undone.
	if err := undone.Save(p.folder); err != nil {
		return err
	}
	// The running server has to read its truststore again, also if it only trusts less: Import would not make a restart due then.
	if err := trust.RaiseEdition(work); err != nil {
		return err
	}
	if err := trust.Import(ctx, p.store, p.changes, p.certificates, work); err != nil {
		return err
	}
	p.Done = true
	for i := range p.Events {
		p.Events[i].At = time.Now().UTC()
	}
	return history.Trail{Dir: p.folder}.Append(p.Events...)
}
