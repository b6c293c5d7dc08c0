package media

var (
	ParseExifTool  = parseExifTool
	NovatekBlock   = novatekBlock
	CopyrightModel = copyrightModel
)
