// Package repair makes the fixes that the diagnoses of agent doctor name. Each fix is what another command of the agent does, and
// changes nothing on a system that does not need it.
package repair

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"wso2agent/internal/actual"
	"wso2agent/internal/agent"
	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/doctor"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
)

// ErrChanged says that the servers call for other changes than those that a person has seen.
var ErrChanged = errors.New("the servers have changed since the plan was shown")

// Repairer makes fixes. Use one for a plan and for its fixes.
type Repairer struct {
	*doctor.Reader             // what the diagnoses come from
	Agent          agent.Agent // next to the own server, for [doctor.FixTrust]
	Log            *slog.Logger

	keyManager string // the plan that a person has seen
}

// Plan says what the fixes are about to do, for people. It changes nothing.
func (r *Repairer) Plan(ctx context.Context, fixes []doctor.Fix, found []doctor.Diagnosis) (string, error) {
	var b strings.Builder
	for _, fix := range fixes {
		switch fix {
		case doctor.FixTrust:
			fmt.Fprintf(&b, "trust: what the sidecar of %s does: import the certificates that it lacks, make the settings that it needs, request a restart that is due\n", r.Config.Server.Name)
		case doctor.FixScopes:
			b.WriteString("scopes: authorize applications in IS, as agent scopes sync does\n")
		case doctor.FixKeyManager:
			var err error
			if r.keyManager, err = r.changes(ctx); err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "key-manager: change the key manager in API-M, as agent apply does\n%s", r.keyManager)
			continue
		}
		for _, d := range found {
			if d.Fix == fix {
				for _, e := range d.Evidence {
					fmt.Fprintf(&b, "    because %s\n", e)
				}
			}
		}
	}
	return b.String(), nil
}

// changes returns what agent apply would change of the key manager, one line for each field.
func (r *Repairer) changes(ctx context.Context) (string, error) {
	want, err := r.KeyManagerWanted(ctx)
	if err != nil {
		return "", err
	}
	if record, found, _ := owned.Load(owned.Path(r.Config.Bootstrap.KeysFile)); found { // as apply compares secrets
		want.Owned, want.Sent = record.Owned(), record.Sent
	}
	have, err := actual.Read(ctx, actual.Connect(r.HTTP, r.Settings), want)
	if err != nil {
		return "", err
	}
	return textOf(plan.Compare(want, have).Changes), nil
}

// textOf returns changes as lines for people.
func textOf(changes []plan.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "    %s %s\n", c.Action, c.Title())
		for _, line := range c.Lines() {
			fmt.Fprintf(&b, "        %s\n", line)
		}
	}
	return b.String()
}

// Do makes one fix. Call Plan before.
func (r *Repairer) Do(ctx context.Context, fix doctor.Fix) error {
	switch fix {
	case doctor.FixTrust:
		return r.Agent.Pass(ctx)
	case doctor.FixScopes:
		keeper := scopes.Keeper{Clients: r.Config.Scopes.Clients, Log: r.Log}
		report, err := keeper.Poll(ctx, bootstrap.Connect(r.HTTP, r.Settings).Scopes)
		return errors.Join(err, report.Err())
	case doctor.FixKeyManager:
		return r.applyKeyManager(ctx)
	}
	return fmt.Errorf("the agent has no fix %q", fix)
}

// applyKeyManager brings the key manager to what the settings and API_CONFIG say, if the plan is still the one that a person has seen.
func (r *Repairer) applyKeyManager(ctx context.Context) error {
	want, err := r.KeyManagerWanted(ctx)
	if err != nil {
		return err
	}
	files := bootstrap.FilesOf(r.Config)
	keep := files.CheckKeys()
	if keep == nil {
		unlock, err := files.Lock(ctx, func() {
			r.Log.Info("waiting", "for", "another agent that brings the servers to the desired state", "keys", files.Keys.JSON)
		})
		if err != nil {
			return err
		}
		defer unlock()
	}
	options := apply.Options{
		Check: func(_ plan.Wanted, changes []plan.Change) error {
			if text := textOf(changes); text != r.keyManager {
				return remedy.Add(ErrChanged, "run agent doctor --fix again")
			}
			return nil
		},
		User: apply.ServiceUser{Log: r.Log, Servers: bootstrap.Connect(r.HTTP, r.Settings), Settings: r.Settings},
	}
	report, err, unwritten := apply.Keep(ctx, r.Log, r.HTTP, r.Settings, files, keep, "agent doctor", "", want, options)
	if err == nil {
		err = report.Err()
	}
	return errors.Join(err, unwritten)
}
