package verify

import (
	"context"
	"fmt"
	"time"

	"wso2agent/internal/wso2"
)

// isReady asks IS for its discovery document. IS serves it when everything else is up.
func (i *inspection) isReady(ctx context.Context) Check {
	if i.subject.Settings.SkipKeyManager {
		return skipped("", withoutIS)
	}
	d, err := i.IS.Discovery(ctx)
	if err != nil {
		return broken(err, "check that IS runs, and IS_HOST and IS_PORT")
	}
	i.announced = d.Issuer
	return passed("IS announces the issuer %s", d.Issuer)
}

// withoutIS says why there is nothing to check about IS.
const withoutIS = "the agent has no Identity Server (PEERS is none)"

// amReady asks for the health of the gateway, which comes last at a start, and for the REST API, which takes the password.
func (i *inspection) amReady(ctx context.Context) Check {
	if err := i.Gateway.Healthy(ctx); err != nil {
		return broken(err, "check that API-M runs, and AM_HOST and AM_PORT")
	}
	if err := i.Publisher.Ready(ctx); err != nil {
		return broken(err, "look for errors in API-M's log")
	}
	return passed("the gateway has loaded its APIs, and the Publisher accepts %s", i.subject.Settings.AMCredentials.User)
}

// mostSkew is how far two clocks may differ. It is the agent's own limit: a token of an issuer whose clock is ahead is not valid yet, and
// one of an issuer whose clock is behind expires early.
const mostSkew = 30 * time.Second

// clocks compares the clocks of both servers with that of the agent, and with each other.
func (i *inspection) clocks(ctx context.Context) Check {
	is, err := wso2.Clock(ctx, i.HTTP, i.IS.JWKSURL())
	if err != nil {
		return broken(err, "check that IS runs")
	}
	am, err := wso2.Clock(ctx, i.HTTP, i.subject.Settings.AMURL+"/api/am/gateway/v2/server-startup-healthcheck")
	if err != nil {
		return broken(err, "check that API-M runs")
	}
	evidence := fmt.Sprintf("IS %s, API-M %s", ahead(is), ahead(am))
	if max(is.Round(time.Second).Abs(), am.Round(time.Second).Abs()) <= unmeasured {
		evidence = "the clocks agree"
	}
	if max(is.Abs(), am.Abs(), (is-am).Abs()) > mostSkew {
		return failed("", evidence, "synchronize the clocks (NTP): more than "+mostSkew.String()+" make tokens invalid too early or too late")
	}
	return passed("%s", evidence)
}

// unmeasured is a difference of clocks that may be none: the answers of the servers have whole seconds, and a request takes some time.
const unmeasured = 2 * time.Second

// ahead describes how far a clock differs from the agent's.
func ahead(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d.Abs() <= unmeasured:
		return "agrees with the agent"
	case d > 0:
		return d.String() + " ahead of the agent"
	}
	return (-d).String() + " behind the agent"
}
