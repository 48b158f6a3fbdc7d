package bootstrap

import (
	"context"
	"fmt"

	"wso2agent/internal/wso2"
)

// ensureKeys makes the application's keys with the chosen key manager, unless they are there.
func (r *run) ensureKeys(ctx context.Context) error {
	keys, err := r.keysOf(ctx, r.app.ID, r.KeyManagerName)
	if err != nil {
		return err
	}
	if keys.ConsumerKey == "" {
		err = r.change(fmt.Sprintf("made keys of application %q with %s", r.app.Name, r.KeyManagerName), func() error {
			keys, err = r.DevPortal.GenerateKeys(ctx, r.app.ID, r.chosen)
			return err
		})
		r.result.NewKeys = err == nil
		if wso2.HasCode(err, wso2.CodeNoKeyManager) {
			return r.chooseAgain(ctx, err)
		}
		if err != nil && ctx.Err() == nil {
			return r.clearFailedKeys(ctx, err)
		}
		if err != nil {
			return err
		}
	}
	if keys.ConsumerSecret == "" {
		return permanent(fmt.Errorf("API-M does not show the consumer secret of application %q at %s: delete these keys in its DevPortal and run again",
			r.app.Name, r.KeyManagerName))
	}
	r.result.ConsumerKey, r.result.ConsumerSecret, r.result.KeyMappingID = keys.ConsumerKey, keys.ConsumerSecret, keys.MappingID
	return nil
}

// chooseAgain looks for the key manager after API-M has said that it is not there: another run may have deleted it as a
// duplicate of its own, which then has the name.
func (r *run) chooseAgain(ctx context.Context, cause error) error {
	before := r.chosen
	if err := r.chooseKeyManager(ctx); err != nil {
		return err
	}
	if r.chosen != before {
		return transient(cause)
	}
	return cause
}

// keysOf finds an application's production keys at a key manager; the consumer key is empty where there are none, and
// in a row that a failed generation left behind.
func (r *run) keysOf(ctx context.Context, applicationID, keyManager string) (keys wso2.Keys, err error) {
	rows, err := r.DevPortal.Keys(ctx, applicationID)
	r.result.OtherKeys = nil
	for _, row := range rows {
		if row.KeyManager != keyManager && row.KeyType == wso2.Production && row.ConsumerKey != "" {
			r.result.OtherKeys = append(r.result.OtherKeys, row.KeyManager)
		}
		if row.KeyManager == keyManager && row.KeyType == wso2.Production && keys.ConsumerKey == "" {
			keys = row
		}
	}
	return keys, err
}

// clearFailedKeys makes room for the next try after keys could not be made. API-M leaves a row behind, with which every
// further try would be refused (901409), and perhaps a client in IS, with which the next one would fail.
func (r *run) clearFailedKeys(ctx context.Context, cause error) error {
	exists := wso2.HasCode(cause, wso2.CodeKeyMappingExists)
	if wso2.IsPermanent(cause) && !exists {
		return cause
	}
	keys, err := r.keysOf(ctx, r.app.ID, r.KeyManagerName)
	if err == nil && keys.ConsumerKey != "" {
		return transient(cause) // made all the same, only the answer or the first token failed: the next try finds them
	}
	if err == nil && exists && keys.MappingID != "" && !r.app.leaked(keys.MappingID, r.EventWait) {
		return transient(cause) // another run may be making them at this moment
	}
	cleared := 0
	if err == nil {
		cleared, err = r.clearKeys(ctx, r.app.Application, r.KeyManagerName)
	}
	if err == nil && cleared == 0 && exists {
		return r.clearHiddenKeys(ctx, cause)
	}
	if err != nil {
		return transient(fmt.Errorf("%w; and what it left behind could not be cleared: %w", cause, err))
	}
	return transient(cause)
}

// clearHiddenKeys clears the row that API-M does not show, because IS does not know its client any more. Only its id
// from the last run leads to it.
func (r *run) clearHiddenKeys(ctx context.Context, cause error) error {
	if r.KeyMappingID == "" || r.app.cleared {
		return permanent(fmt.Errorf("%w; API-M has keys of application %q at %s that it does not show, because the key manager is disabled or has lost the client: enable it, or delete the application in the DevPortal and run again",
			cause, r.app.Name, r.KeyManagerName))
	}
	err := r.change("cleared keys whose client the key manager has lost", func() error {
		return orGone(r.DevPortal.CleanUpKeys(ctx, r.app.ID, r.KeyMappingID))
	})
	if err != nil {
		return err
	}
	r.app.cleared = true
	return transient(cause)
}

// clearKeys removes an application's keys at a key manager, and the client that carries the application's name in IS.
// It returns how many rows and clients went.
func (r *run) clearKeys(ctx context.Context, app wso2.Application, keyManager string) (int, error) {
	rows, err := r.DevPortal.Keys(ctx, app.ID)
	if err != nil {
		return 0, err
	}
	cleared := 0
	for _, row := range rows {
		if row.KeyManager != keyManager || row.KeyType != wso2.Production || row.MappingID == "" {
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
	if keyManager != r.KMName || r.SkipKeyManager {
		return cleared, nil
	}
	client, err := r.IS.FindClient(ctx, clientName(app))
	if err != nil || client == "" {
		return cleared, err
	}
	r.log.Info("deleting a client in IS that stands in the way of new keys", "client", clientName(app))
	return cleared + 1, r.IS.DeleteClient(ctx, client)
}
