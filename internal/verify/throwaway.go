package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"wso2agent/internal/wso2"
)

// The name of a throw-away application of API-M consists of a prefix, the Unix time in milliseconds, and the owner, so that two
// verifications at the same time do not conflict. One of the same owner, or one that is older than [LongestInspection], belongs to a run
// that was killed. Earlier versions of the agent had two prefixes.
const (
	throwAwayPrefix      = "wso2agent-"
	throwAwayApplication = throwAwayPrefix + "verify-"
	throwAwayPolicy      = "Unlimited" // of the application, and of its subscription to an API that offers it
)

// LongestInspection is how long the checks that make something on the servers may take together.
const LongestInspection = 10 * time.Minute

var throwAwayForm = regexp.MustCompile("^" + throwAwayPrefix + `(?:verify|check)-(\d+)-([a-z0-9]{8})$`)

// client is the client whose tokens call the APIs: that of a throw-away application. With the keys of another application, a new token
// would end the one in use.
type client struct {
	application string // id; empty: there is none
	key         string
	secret      wso2.Secret
}

// errNotAllowed says that API-M demands an approval for every new application or subscription.
var errNotAllowed = errors.New("API-M demands that a person approves it")

// makeClient makes an application with subscriptions to the APIs to call, and its keys. If it fails, it deletes what it has made.
func (r *run) makeClient(ctx context.Context) (err error) {
	name := fmt.Sprintf("%s%d-%s", throwAwayApplication, time.Now().UnixMilli(), r.Owner)
	app, err := r.DevPortal.CreateApplication(ctx, name, throwAwayPolicy, "verifies that APIs can be called; removed again")
	if err != nil {
		return err
	}
	r.client = client{application: app.ID}
	defer func() {
		if err != nil {
			r.removeClient(ctx)
		}
	}()
	if app.Status != "APPROVED" {
		return fmt.Errorf("application %s is %s: %w", name, app.Status, errNotAllowed)
	}
	for _, t := range r.targets {
		if t.token && t.api.Policy != "" {
			if _, err := r.DevPortal.Subscribe(ctx, app.ID, t.api.ID, t.api.Policy); err != nil {
				return err
			}
		}
	}
	subscriptions, err := r.DevPortal.Subscriptions(ctx, app.ID)
	if err != nil {
		return err
	}
	for _, s := range subscriptions {
		if s.Status != "UNBLOCKED" {
			return fmt.Errorf("a subscription is %s: %w", s.Status, errNotAllowed)
		}
	}
	keys, err := r.DevPortal.GenerateKeys(ctx, app.ID, r.result.KeyManagerID)
	if err == nil && keys.ConsumerKey == "" {
		return fmt.Errorf("keys have no consumer key yet: %w", errNotAllowed)
	}
	r.client.key, r.client.secret = keys.ConsumerKey, keys.ConsumerSecret
	return err
}

// removeClient deletes the throw-away application, even if ctx has ended. API-M then deletes its subscriptions, its keys and its
// client at the key manager.
func (r *run) removeClient(ctx context.Context) {
	if r.client.application == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := r.DevPortal.DeleteApplication(ctx, r.client.application); err != nil {
		r.log.Warn("a throw-away application stays in API-M for now; a later verification deletes it", "error", err)
	}
	r.client = client{}
}

// deleteApplicationsLeftBehind deletes throw-away applications of verifications that were killed. An application that it cannot read
// or delete stays until the next verification.
func (r *run) deleteApplicationsLeftBehind(ctx context.Context, now time.Time) {
	list, err := r.DevPortal.Applications(ctx, throwAwayPrefix)
	if err != nil {
		return
	}
	for _, app := range list {
		m := throwAwayForm.FindStringSubmatch(app.Name)
		if m == nil {
			continue
		}
		if made, err := strconv.ParseInt(m[1], 10, 64); m[2] == r.Owner || err == nil && now.Sub(time.UnixMilli(made)) >= LongestInspection {
			_ = r.DevPortal.DeleteApplication(ctx, app.ID)
		}
	}
}
