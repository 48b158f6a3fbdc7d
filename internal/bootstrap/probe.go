package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// ProbeApplication is the beginning of the names of the throw-away applications that verify a key manager. The owner's name follows
// (see [Settings]). Each run has an application of its own, because two runs with one would delete each other's keys.
const ProbeApplication = "wso2agent-probe"

// probeDescription distinguishes a probe's application from one of a similar name that somebody else has made.
const probeDescription = "proves a key manager; removed again"

// staleProbe is the age from which another run's probe counts as left behind. A verification takes seconds.
const staleProbe = 10 * time.Minute

// verifyKeyManager makes keys with the key manager for a throw-away application. API-M loads a new or changed key manager some
// time after it has answered 201 or 200, and does not say when. The run does not verify a key manager again that it has not
// changed and that an earlier run has verified, because that makes and deletes things on the servers. If a probe of this owner
// exists when a run begins, the run before has not finished its verification.
func (r *run) verifyKeyManager(ctx context.Context) error {
	probe, err := r.findProbe(ctx)
	if err != nil {
		return err
	}
	if probe.ID == "" {
		verified, err := r.verifiedBefore(ctx)
		if err != nil || verified {
			return err
		}
	}
	if err := r.changing(); err != nil {
		return err
	}
	if probe.ID == "" {
		probe, err = r.DevPortal.CreateApplication(ctx, r.probeName(), "Unlimited", probeDescription)
		if err != nil {
			return orConflict(err)
		}
	}
	if err := r.probe(ctx, probe); err != nil {
		// Another run may have deleted the key manager as a duplicate of its own.
		if lookErr := r.registerKeyManager(ctx); lookErr != nil {
			return lookErr
		}
		return r.sendAgain(ctx, err)
	}
	if err := orGone(r.DevPortal.DeleteApplication(ctx, probe.ID)); err != nil {
		return err
	}
	r.km.changed = false
	r.log.Info("key manager "+r.KMName+" is usable", "verified", "made and deleted keys of application "+probe.Name)
	return nil
}

func (r *run) probeName() string { return ProbeApplication + "-" + r.Owner }

// findProbe finds this owner's probe; the ID is empty if there is none. It deletes probes that other runs have left behind.
func (r *run) findProbe(ctx context.Context) (own wso2.Application, err error) {
	list, err := r.DevPortal.Applications(ctx, ProbeApplication)
	if err != nil {
		return own, err
	}
	for _, app := range list {
		switch {
		case app.Name == r.probeName():
			own = app
		case strings.HasPrefix(app.Name, ProbeApplication) && app.Description == probeDescription && olderThan(app, staleProbe):
			if err := r.changing(); err != nil {
				return own, err
			}
			if _, err := r.clearKeys(ctx, app); err != nil {
				return own, err
			}
			if err := orGone(r.DevPortal.DeleteApplication(ctx, app.ID)); err != nil {
				return own, err
			}
			r.log.Info("deleted an application that an earlier run left behind", "application", app.Name)
		}
	}
	return own, nil
}

// olderThan reports whether an application is older than age. An application without a time counts as older.
func olderThan(app wso2.Application, age time.Duration) bool {
	made, err := strconv.ParseInt(app.CreatedTime, 10, 64)
	return err != nil || time.Since(time.UnixMilli(made)) > age
}

// verifiedBefore reports whether an earlier run has verified the key manager. That is so if this run has not changed it, and an
// earlier run has got as far as its keys of an application. If the file wants none of its keys, nothing depends on the key manager.
func (r *run) verifiedBefore(ctx context.Context) (bool, error) {
	if r.km.changed {
		return false, nil
	}
	wanted := false
	for _, item := range r.desired.Applications.Value {
		keys := slices.DeleteFunc(plan.Keys(item, r.KeyManagerName), func(k desired.Field[desired.Key]) bool { return k.Value.KeyManager.Value != r.KMName })
		if len(keys) == 0 {
			continue
		}
		wanted = true
		found, err := r.hasKey(ctx, item.Value.Name.Value, keys)
		if err != nil || found {
			return found, err
		}
	}
	return !wanted, nil
}

// hasKey reports whether an application has one of these keys. A row that a failed generation left behind is none.
func (r *run) hasKey(ctx context.Context, application string, keys []desired.Field[desired.Key]) (bool, error) {
	list, err := r.DevPortal.Applications(ctx, application)
	if err != nil {
		return false, err
	}
	for _, app := range list {
		if app.Name != application { // the server's search also finds other names
			continue
		}
		rows, err := r.DevPortal.Keys(ctx, app.ID)
		if err != nil {
			return false, err
		}
		for _, row := range rows {
			if row.ConsumerKey != "" && slices.ContainsFunc(keys, func(k desired.Field[desired.Key]) bool {
				return k.Value.Type.Value == row.KeyType && k.Value.KeyManager.Value == row.KeyManager
			}) {
				return true, nil
			}
		}
	}
	return false, nil
}

// probe makes keys for an application and deletes them again.
func (r *run) probe(ctx context.Context, app wso2.Application) error {
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.km.id)
	if err == nil {
		return orGone(r.DevPortal.DeleteKeys(ctx, app.ID, keys.MappingID))
	}
	if ctx.Err() != nil {
		return err
	}
	cleared, clearErr := r.clearKeys(ctx, app)
	if clearErr == nil && cleared == 0 && wso2.HasCode(err, wso2.CodeKeyMappingExists) {
		// API-M has a row that it does not show. It deletes the row together with the application.
		clearErr = orGone(r.DevPortal.DeleteApplication(ctx, app.ID))
	}
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized):
		return err
	case wso2.HasStatus(clearErr, http.StatusUnauthorized):
		// API-M answers with 500 if IS refuses its password. IS also refuses this run, which has the same password. Further
		// tries would lock the account.
		return fmt.Errorf("key manager %s cannot be used: %w", r.KMName, clearErr)
	case clearErr != nil:
		r.log.Warn("the agent cannot clear what a failed verification left behind", "application", app.Name, "error", clearErr)
	}
	// 400/901403, "not registered", is transient too: API-M answers so for a key manager that it has not loaded.
	return transient(fmt.Errorf("key manager %s is not usable yet: %w", r.KMName, err))
}

// clearKeys deletes a probe's keys at the key manager, and the client in IS that has the probe's name. It returns the number of
// deleted rows and clients.
func (r *run) clearKeys(ctx context.Context, app wso2.Application) (int, error) {
	rows, err := r.DevPortal.Keys(ctx, app.ID)
	if err != nil {
		return 0, err
	}
	cleared := 0
	for _, row := range rows {
		if row.KeyManager != r.KMName || row.KeyType != wso2.Production || row.MappingID == "" {
			continue
		}
		if row.ConsumerKey == "" {
			err = r.DevPortal.CleanUpKeys(ctx, app.ID, row.MappingID)
		} else {
			err = r.DevPortal.DeleteKeys(ctx, app.ID, row.MappingID)
		}
		if err := orGone(err); err != nil {
			return cleared, err
		}
		cleared++
	}
	name := strings.Join([]string{app.Owner, app.ID, wso2.Production}, "_") // as API-M's connector calls it
	client, err := r.IS.FindClient(ctx, name)
	if err != nil || client == "" {
		return cleared, err
	}
	r.log.Info("deleting a client in IS that prevents new keys", "client", name)
	return cleared + 1, r.IS.DeleteClient(ctx, client)
}

// sendAgain updates the key manager if it has not become usable for a while. API-M sometimes loses the event that makes it load
// the key manager, and an update sends another event. Or API-M has an old password of IS, and the update has the right one.
func (r *run) sendAgain(ctx context.Context, cause error) error {
	switch now := time.Now(); {
	case isPermanent(cause):
		return cause
	case r.km.unusable.IsZero():
		r.km.unusable = now
		return cause
	case now.Sub(r.km.unusable) < r.EventWait:
		return cause
	default:
		r.km.unusable = now
	}
	stored, err := r.readKeyManager(ctx, r.km.id)
	if err == nil {
		err = r.sendKeyManager(ctx, stored.Raw)
	}
	if err != nil {
		return errors.Join(cause, err)
	}
	r.log.Warn("sent key manager "+r.KMName+" again, with the present password of IS", "because", "API-M has not loaded it, or had another password", "after", r.EventWait)
	return cause
}

// orConflict marks the error that a name is taken as transient. The list did not have the name yet, and the next list has it.
func orConflict(err error) error {
	if wso2.HasStatus(err, http.StatusConflict) {
		return transient(err)
	}
	return err
}
