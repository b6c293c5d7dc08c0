package worker

var (
	NameTime = nameTime
	BadName  = badName
)
