// Package wso2sim has stand-ins of WSO2 Identity Server 7.1.0 and API Manager 4.5.0 for tests and demonstrations.
//
// They read key store, truststore and deployment.toml in the products' formats, at their start, and obey them: what
// fails between two real servers that do not trust each other fails between these. While they run they load only the
// certificate of their ports again, where their files say so, as the products do. Statuses, error codes and the
// shape of every body follow recorded answers of servers of these versions, and where nothing was recorded the
// products' specifications, sources and acceptance tests; docs/stand-ins.md names the source and the test of each
// behaviour, and where the stand-ins differ. They share the package that reads stores with the agent, and no type or
// line with its REST clients and its reader of deployment.toml, so that a misreading is not made twice.
//
// State lives in the home, at the paths that the products use, and outlives the process. StartIS and StartAM start a
// server; Launch starts it under what does the work of the image's start script, with faults on demand, a log of
// requests, and an endpoint to control them.
package wso2sim
