package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

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
		probe, err = r.DevPortal.CreateApplication(ctx, r.probeName(), defaultPolicy, probeDescription)
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
			if _, err := r.clearKeys(ctx, app, r.KMName); err != nil {
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
// earlier run has got as far as the application's keys.
func (r *run) verifiedBefore(ctx context.Context) (bool, error) {
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

// probe makes keys for an application and deletes them again.
func (r *run) probe(ctx context.Context, app wso2.Application) error {
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.km.id)
	if err == nil {
		return orGone(r.DevPortal.DeleteKeys(ctx, app.ID, keys.MappingID))
	}
	if ctx.Err() != nil {
		return err
	}
	cleared, clearErr := r.clearKeys(ctx, app, r.KMName)
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
