// Package survey is the vocabulary of roadcomb: the nouns that stages exchange (contributors, drives, frames, cells,
// verdicts, observations, redactions, amounts) with their identities and their checks.
//
// Stages never import each other; they meet as survey values in state, in manifests and in job arguments. The package
// holds no behaviour beyond validation and encoding, opens nothing, and imports only geo.
package survey
