package demo

var germany = land{
	country: "DE", language: "de-DE", weight: 110,
	places: []place{
		{"Berlin", "Berlin", "10###", 10}, {"Hamburg", "Hamburg", "20###", 6}, {"München", "Bayern", "80###", 6}, {"Nürnberg", "Bayern", "90###", 2},
		{"Köln", "Nordrhein-Westfalen", "50###", 4}, {"Düsseldorf", "Nordrhein-Westfalen", "40###", 3}, {"Frankfurt am Main", "Hessen", "60###", 4},
		{"Stuttgart", "Baden-Württemberg", "70###", 3}, {"Leipzig", "Sachsen", "04###", 2},
	},
	// For media productions: a mobile range, and one each in Berlin, Hamburg, Köln, Frankfurt and München.
	phones: []string{"+4917139200##", "+493023125###", "+494066969###", "+492214710###", "+496990009###", "+498999998###"},
	family: names(`Müller:mueller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Neumann
		Schwarz Zimmermann Krüger:krueger Hartmann Lange Krause Lehmann Köhler:koehler Yılmaz:yilmaz Nowak`),
	male:     names(`Thomas Michael Andreas Stefan Christian Markus Daniel Jan Lukas Felix Jonas Paul Leon Jürgen:juergen Klaus Emre Tobias Florian`),
	female:   names(`Anna Julia Katharina Sabine Petra Claudia Lena Laura Lea Sophie Marie Hannah Monika Ursula Jana Elif Franziska Nina`),
	fullName: "%[1]s %[2]s",
	streets:  []string{"Hauptstraße", "Bahnhofstraße", "Gartenstraße", "Schulstraße", "Lindenweg", "Goethestraße", "Bergstraße", "Am Markt"},
	address:  "%[1]s %[2]d", companies: []string{"%s GmbH", "%s & Söhne GmbH", "%s AG", "%s Technik GmbH & Co. KG"},
	income: 47000, grants: 0.8,
}

var france = land{
	country: "FR", language: "fr-FR", weight: 75,
	places: []place{
		{"Paris", "Île-de-France", "750##", 10}, {"Lyon", "Auvergne-Rhône-Alpes", "6900#", 4}, {"Grenoble", "Auvergne-Rhône-Alpes", "3800#", 2},
		{"Marseille", "Provence-Alpes-Côte d'Azur", "1300#", 4}, {"Toulouse", "Occitanie", "3100#", 3}, {"Bordeaux", "Nouvelle-Aquitaine", "3300#", 3},
		{"Lille", "Hauts-de-France", "59000", 2}, {"Nantes", "Pays de la Loire", "4400#", 2},
	},
	phones: []string{"+3363998####"}, // for audiovisual works
	family: names(`Martin Bernard Dubois Thomas Robert Richard Petit Durand Leroy Moreau Simon Laurent Lefèvre:lefevre Michel Garcia David Bertrand
		Roux Vincent Fournier Girard Bonnet Mercier Benali Traoré:traore`),
	male:     names(`Jean Pierre Nicolas Julien Antoine Lucas Hugo Théo:theo Louis Gabriel Mehdi Olivier Philippe Mathieu Adrien`),
	female:   names(`Marie Camille Léa:lea Chloé:chloe Manon Sophie Isabelle Nathalie Julie Élodie:elodie Inès:ines Claire Aurélie:aurelie Fatima Louise`),
	fullName: "%[1]s %[2]s",
	streets:  []string{"rue de la République", "rue Victor-Hugo", "avenue Jean-Jaurès", "rue des Lilas", "boulevard Voltaire", "rue du Moulin", "place de l'Église"},
	address:  "%[2]d %[1]s", companies: []string{"%s SARL", "%s SAS", "Établissements %s", "%s et Fils"},
	income: 39000, grants: 0.8,
}

var britain = land{
	country: "GB", language: "en-GB", weight: 80,
	places: []place{
		{"London", "England", "E# #??", 10}, {"Manchester", "England", "M# #??", 4}, {"Birmingham", "England", "B# #??", 4}, {"Leeds", "England", "LS# #??", 3},
		{"Bristol", "England", "BS# #??", 2}, {"Edinburgh", "Scotland", "EH# #??", 3}, {"Glasgow", "Scotland", "G# #??", 2}, {"Cardiff", "Wales", "CF# #??", 2},
	},
	phones: []string{"+447700900###"}, // for television and radio drama
	male:   englishMen, female: englishWomen,
	fullName: "%[1]s %[2]s",
	streets:  []string{"High Street", "Station Road", "Church Lane", "Victoria Road", "Mill Lane", "Park Avenue", "Queens Road", "The Crescent"},
	address:  "%[2]d %[1]s", companies: []string{"%s Ltd", "%s & Sons Ltd", "%s Holdings plc", "%s Partners LLP"},
	income: 44000, grants: 0.9,
}
