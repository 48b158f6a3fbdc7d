package verify

import (
	"log/slog"
	"strings"

	"wso2agent/internal/scopes"
	"wso2agent/internal/trust"
)

// closedCheck is the name of the check that API subscribers cannot administer IS.
const closedCheck = "API subscribers cannot administer IS"

// Openness says how far IS is open to API subscribers. A greater one is worse.
type Openness int

// Values of [Openness].
const (
	Closed   Openness = iota
	Accepted          // a person has chosen this: a warning
	Pending           // the next restart of IS closes it, and an agent is about to do that restart
	Open              // a person must change something
)

// Judgement says how far IS is open, and, if it is not closed, why and what to do.
type Judgement struct {
	Openness
	why, remedy string
}

// String returns one line.
func (j Judgement) String() string {
	if j.Openness == Closed {
		return closedCheck
	}
	return scopes.OpenIS + ": " + j.why + "; " + j.remedy
}

// Log logs the judgement in one line.
func (j Judgement) Log(log *slog.Logger) {
	switch j.Openness {
	case Closed:
		log.Info("check", "check", closedCheck, "verdict", Pass)
	case Open:
		log.Error(scopes.OpenIS, "why", j.why, "remedy", j.remedy)
	default:
		log.Warn(scopes.OpenIS, "why", j.why, "remedy", j.remedy)
	}
}

// Circumstances are the facts that a judgement needs in addition to the exposure.
type Circumstances struct {
	Closing   trust.Closing // the statement of IS's agent
	Said      bool          // IS's agent has made a statement
	All       bool          // SCOPES is all
	Container string        // IS's container, for a remedy
}

// Judge judges the exposure of the running IS.
func Judge(e Exposure, c Circumstances) (worst Judgement) {
	var whys, remedies []string
	for _, j := range []Judgement{judgeScopes(e.Scopes, c), judgeSCIM11(e.SCIM11, c)} {
		if j.Openness > worst.Openness {
			worst, whys, remedies = j, nil, nil
		}
		if j.Openness == worst.Openness && j.Openness != Closed {
			whys, remedies = append(whys, j.why), append(remedies, j.remedy)
		}
	}
	if len(remedies) == 2 && remedies[0] == remedies[1] {
		remedies = remedies[:1]
	}
	worst.why, worst.remedy = strings.Join(whys, ", and "), strings.Join(remedies, "; and ")
	return worst
}

func judgeScopes(granted bool, c Circumstances) Judgement {
	const why = "IS grants every client the scopes of its administration"
	switch {
	case !granted:
		return Judgement{}
	case c.All:
		return Judgement{Accepted, why + ", because SCOPES is all", "set SCOPES=authorize"}
	case c.Closing.AllScopes == trust.AllScopesKept:
		return Judgement{Accepted, why + ", because its deployment.toml has [oauth] authorize_all_scopes = true", "remove that line and restart IS, or set SETTINGS=override next to IS"}
	case c.Closing.AllScopes == trust.AllScopesWaits:
		return Judgement{Pending, why + " until all applications are authorized", "the agent next to IS authorizes them and then restarts IS"}
	case !c.Said || c.Closing.Restart == "":
		return Judgement{Open, why, "set [oauth] authorize_all_scopes = false in its deployment.toml and restart it, or accept this with SCOPES=all"}
	}
	return untilRestart(why, c)
}

func judgeSCIM11(answers bool, c Circumstances) Judgement {
	const why = "SCIM 1.1 accepts every client's token as that of the client's owner"
	switch {
	case !answers:
		return Judgement{}
	case !c.Said:
		return Judgement{Open, why, "put the entry for (.*)/wso2/scim(.*) of docs/security.md before every other [[resource.access_control]] of its deployment.toml and restart it"}
	case !c.Closing.SCIM11 || c.Closing.Restart == "":
		return Judgement{Open, why, "check in its deployment.toml that the entry [[resource.access_control]] for (.*)/wso2/scim(.*) is first and unchanged, and that SETTINGS is not none next to IS"}
	}
	return untilRestart(why, c)
}

// untilRestart judges an exposure that IS's deployment.toml closes as soon as IS has read that file.
func untilRestart(why string, c Circumstances) Judgement {
	if c.Closing.Restart == trust.RestartByHand {
		return Judgement{Open, why + " until it is restarted", "restart it by hand, because RESTART is none next to it: docker restart " + c.Container}
	}
	return Judgement{Pending, why + " until it is restarted", "the agent next to IS restarts it"}
}
