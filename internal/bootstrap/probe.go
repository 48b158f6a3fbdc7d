package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"wso2agent/internal/wso2"
)

// proveKeyManager makes keys with the key manager for a throw-away application. API-M loads a new or changed key manager
// only some time after it has answered 201 or 200, and does not tell when. A key manager that this run did not change
// and that was proved before is not proved again: proving makes and removes things on the servers.
func (r *run) proveKeyManager(ctx context.Context) error {
	probe, err := r.findApplication(ctx, ProbeApplication)
	if err != nil {
		return err
	}
	if probe.ID == "" {
		proved, err := r.provedBefore(ctx)
		if err != nil || proved {
			return err
		}
		probe, err = r.DevPortal.CreateApplication(ctx, ProbeApplication, defaultPolicy, "proves a key manager; removed again")
		if err != nil {
			return orConflict(err)
		}
	}
	if err := r.probe(ctx, probe); err != nil {
		return r.sendAgain(ctx, err)
	}
	if err := r.DevPortal.DeleteApplication(ctx, probe.ID); err != nil {
		return err
	}
	r.km.changed = false
	r.log.Info("key manager "+r.KMName+" is usable", "proof", "made and removed keys of application "+ProbeApplication)
	return nil
}

// provedBefore: the key manager is as an earlier run left it, and that run went on to make the application's keys.
func (r *run) provedBefore(ctx context.Context) (bool, error) {
	if r.km.changed {
		return false, nil
	}
	app, err := r.findApplication(ctx, r.desired.Application.Name)
	if err != nil || app.ID == "" {
		return false, err
	}
	keys, err := r.keysOf(ctx, app.ID, r.KeyManagerName)
	return keys.ConsumerKey != "", err
}

// probe makes keys for an application and takes them away again.
func (r *run) probe(ctx context.Context, app wso2.Application) error {
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.km.id)
	if err == nil {
		return r.DevPortal.DeleteKeys(ctx, app.ID, keys.MappingID)
	}
	if ctx.Err() != nil {
		return err
	}
	cleared, clearErr := r.clearKeys(ctx, app, r.KMName)
	if clearErr == nil && cleared == 0 && wso2.HasCode(err, wso2.CodeKeyMappingExists) {
		// A row that is there but not shown: it goes with its application.
		clearErr = r.DevPortal.DeleteApplication(ctx, app.ID)
	}
	switch {
	case wso2.HasStatus(err, http.StatusUnauthorized):
		return err
	case wso2.HasStatus(clearErr, http.StatusUnauthorized):
		// Of IS's refusal API-M says no more than 500. But IS refuses this run, too, which has the same password; tried over
		// and over, it would lock the account.
		return fmt.Errorf("key manager %s cannot be used: %w", r.KMName, clearErr)
	case clearErr != nil:
		r.log.Warn("could not clear what a failed proof left behind", "application", app.Name, "error", clearErr)
	}
	// 400/901403, "not registered", passes, too: it is what API-M says of a key manager that it has not loaded.
	return transient(fmt.Errorf("key manager %s is not usable yet: %w", r.KMName, err))
}

// sendAgain updates the key manager, unchanged, when it has not become usable for a while: the event that makes API-M
// load it gets lost at times, and an update sends another one.
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
	stored, err := r.Admin.KeyManager(ctx, r.km.id)
	if err == nil {
		err = r.sendKeyManager(ctx, stored.Raw)
	}
	if err != nil {
		return errors.Join(cause, err)
	}
	r.log.Warn("sent key manager "+r.KMName+" again, because API-M has not loaded it", "after", r.EventWait)
	return cause
}

// orConflict: a name that is taken, though the list did not have it, will be in the next list.
func orConflict(err error) error {
	if wso2.HasStatus(err, http.StatusConflict) {
		return transient(err)
	}
	return err
}
