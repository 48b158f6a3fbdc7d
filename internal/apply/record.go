package apply

import "wso2agent/internal/plan"

// Record remembers what the agent has made, and the secrets that it has sent, from one run to the next.
type Record interface {
	Owned() []plan.OwnedObject
	Sent(kind, name, of string) plan.Sent
	Settle(found []plan.Found, gone []plan.OwnedObject) // after each read of the servers
	Made(c plan.Change, id string)                      // id is empty if only the next read shows it
	Gone(kind, name, of string)
	// Rewriting notes what a new definition resets of an API, until it is there again: before is nil then.
	Rewriting(api string, before plan.Object)
	Unrestored() map[string]plan.Object
}

// recorded returns the desired state with what the record knows now.
func (o Options) recorded(want plan.Wanted) plan.Wanted {
	if o.Record != nil {
		want.Owned, want.Sent = o.Record.Owned(), o.Record.Sent
	}
	return want
}

// settle brings the record in line with what the servers have.
func (o Options) settle(found []plan.Found, gone []plan.OwnedObject) {
	if o.Record != nil {
		o.Record.Settle(found, gone)
	}
}

// save keeps the record for the next run.
func (o Options) save() error {
	if o.Record == nil || o.Save == nil {
		return nil
	}
	return o.Save()
}

// done records a change that has succeeded.
func (r *round) done(c plan.Change) {
	switch {
	case r.record == nil:
	case c.Action == plan.Delete:
		r.record.Gone(c.Kind, c.Name, c.Of)
	default:
		r.record.Made(c, r.idOf(c))
	}
}

// idOf returns the id of an object that a change has made; "" if only the next read shows it.
func (r *round) idOf(c plan.Change) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id := r.noted[objectOf(c)]; id != "" {
		return id
	}
	if c.Action == plan.Update || c.Kind == plan.KindCertificate {
		return plan.IDAfter(r.want, c)
	}
	switch c.Kind {
	case plan.KindKeyManager:
		return r.ids.KeyManagers[c.Name]
	case plan.KindApplication:
		return r.ids.Applications[c.Name]
	case plan.KindAPI:
		for name, id := range r.ids.APIs {
			if name.String() == c.Name {
				return id
			}
		}
	}
	return ""
}

// noteID keeps the id of an object that a change has just made, so that the record has it without another read.
func (r *round) noteID(c plan.Change, id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noted[objectOf(c)] = id
}
