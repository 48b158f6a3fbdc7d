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

// Throw-away applications of API-M are named throwAwayApplication, the Unix time in milliseconds, and the owner, so that two
// verifications at once do not meet. One of the same owner, or older than throwAwayAge, was left behind by a run that was killed.
const (
	throwAwayApplication = "wso2agent-verify-"
	throwAwayPolicy      = "Unlimited" // of the application and its subscriptions: bootstrap has every API offer it
)

var throwAwayForm = regexp.MustCompile("^" + throwAwayApplication + `(\d+)-([a-z0-9]{8})$`)

// client is whose tokens call the APIs: an application of the check's own, or the one that bootstrap has made.
type client struct {
	application string // id of the throw-away application; empty for the application of the result
	key         string
	secret      wso2.Secret
}

// errNotAllowed: API-M lets nobody make an application or a subscription without an approval.
var errNotAllowed = errors.New("API-M wants it approved by a person")

// chooseClient makes the throw-away application. Its tokens come and go without ending those of the application that people
// use. Where API-M does not let the agent make one, that application's own keys are used. Where it fails to make one, which
// passes, nothing has a token: a check failed, and the application's token is left alone.
func (r *run) chooseClient(ctx context.Context) {
	r.deleteApplicationsLeftBehind(ctx, time.Now())
	var err error
	const name = "a throw-away application"
	r.poll(ctx, name, func() (bool, string) {
		err = r.makeClient(ctx)
		return err == nil || wso2.IsPermanent(err) || errors.Is(err, errNotAllowed), said(err, "")
	})
	if err == nil || ctx.Err() != nil {
		return
	}
	if !wso2.IsPermanent(err) && !errors.Is(err, errNotAllowed) {
		r.add(failed(name, err.Error(), "API-M does not make applications or keys at present: look for errors in its log"))
		return
	}
	r.client = client{key: r.result.ConsumerKey, secret: r.result.ConsumerSecret}
	for _, t := range r.targets {
		if !t.api.Subscribed {
			t.onlyKnown()
		}
	}
	r.log.Warn("verification uses the application's own keys, which ends its present token", "application", r.result.Application,
		"why", err, "remedy", "let the agent's user make applications and subscriptions without approval")
}

// makeClient makes an application that is subscribed to the APIs that are called, and its keys. What it has made is gone again
// where it fails.
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
		if t.token {
			if err := r.DevPortal.Subscribe(ctx, app.ID, t.api.ID, throwAwayPolicy); err != nil {
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

// removeClient deletes the throw-away application, and with it its subscriptions, its keys and its client at the key
// manager; also when ctx has ended.
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

// deleteApplicationsLeftBehind removes throw-away applications of verifications that were killed. What cannot be read or
// deleted stays for the next time.
func (r *run) deleteApplicationsLeftBehind(ctx context.Context, now time.Time) {
	list, err := r.DevPortal.Applications(ctx, throwAwayApplication)
	if err != nil {
		return
	}
	for _, app := range list {
		m := throwAwayForm.FindStringSubmatch(app.Name)
		if m == nil {
			continue
		}
		if made, err := strconv.ParseInt(m[1], 10, 64); m[2] == r.Owner || err == nil && now.Sub(time.UnixMilli(made)) >= throwAwayAge {
			_ = r.DevPortal.DeleteApplication(ctx, app.ID)
		}
	}
}
