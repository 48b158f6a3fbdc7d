package bootstrap

import (
	"context"
	"fmt"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// ensureKeys makes the application's keys with the chosen key manager, unless they exist.
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
		return permanent(remedy.Add(fmt.Errorf("API-M does not show the consumer secret of application %q at %s", r.app.Name, r.KeyManagerName),
			"delete these keys in its DevPortal, and run again"))
	}
	r.result.ConsumerKey, r.result.ConsumerSecret, r.result.KeyMappingID = keys.ConsumerKey, keys.ConsumerSecret, keys.MappingID
	return nil
}

// chooseAgain looks for the key manager after API-M has answered that it does not exist. Another run may have deleted it as a
// duplicate of its own key manager, which then has the name.
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

// keysOf finds an application's production keys at a key manager. The consumer key is empty if there are none, and in a row that a
// failed generation left behind.
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

// clearFailedKeys clears what a failed generation of keys left behind, so that the next try can succeed. API-M keeps a row, and
// refuses every further try because of it (901409). IS may keep a client, with which the next try would also fail.
func (r *run) clearFailedKeys(ctx context.Context, cause error) error {
	exists := wso2.HasCode(cause, wso2.CodeKeyMappingExists)
	if wso2.IsPermanent(cause) && !exists {
		return cause
	}
	keys, err := r.keysOf(ctx, r.app.ID, r.KeyManagerName)
	if err == nil && keys.ConsumerKey != "" {
		return transient(cause) // API-M has made them, and only the answer or the first token failed: the next try finds them
	}
	if err == nil && exists && keys.MappingID != "" && !r.app.leaked(keys.MappingID, r.EventWait) {
		return transient(cause) // another run may be making them now
	}
	cleared := 0
	if err == nil {
		cleared, err = r.clearKeys(ctx, r.app.Application, r.KeyManagerName)
	}
	if err == nil && cleared == 0 && exists {
		return r.clearHiddenKeys(ctx, cause)
	}
	if err != nil {
		return transient(fmt.Errorf("%w; the agent cannot clear what this failure left behind: %w", cause, err))
	}
	return transient(cause)
}

// clearHiddenKeys clears a row that API-M does not show because IS has lost its client. Only the id from the last run identifies
// that row.
func (r *run) clearHiddenKeys(ctx context.Context, cause error) error {
	if r.KeyMappingID == "" || r.app.cleared {
		return permanent(remedy.Add(fmt.Errorf("%w; API-M has keys of application %q at %s that it does not show, because the key manager is disabled or has lost the client",
			cause, r.app.Name, r.KeyManagerName), "enable the key manager, or delete the application in the DevPortal and run again"))
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

// clearKeys deletes an application's keys at a key manager, and the client in IS that has the application's name. It returns the
// number of deleted rows and clients.
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
	r.log.Info("deleting a client in IS that prevents new keys", "client", clientName(app))
	return cleared + 1, r.IS.DeleteClient(ctx, client)
}
