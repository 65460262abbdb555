//! Tests of the catalogue of mechanisms.

#![allow(clippy::unwrap_used)]

use super::*;
use halfmax_core::Seed;

fn builtin() -> Mechanisms {
    Mechanisms::named("builtin").unwrap()
}

/// The error for a refused catalogue, which must always have a help.
fn message(text: &str) -> (String, String) {
    let error = Mechanisms::parse(text).unwrap_err();
    (error.to_string(), error.help().unwrap_or_default().to_string())
}

const SOURCE: &str = "references = [{ text = \"A. B 2000\", url = \"https://doi.org/x\" }]\n";

fn one(id: &str, lines: &str) -> String {
    format!("[[mechanism]]\nid = \"{id}\"\nname = \"x\"\n{SOURCE}{lines}\n")
}

const IDS: [&str; 23] = [
    "efflux",
    "apoptosis",
    "repair_hr",
    "repair_ner",
    "repair_ber",
    "repair_direct_mmr",
    "replication_stress",
    "cell_cycle",
    "spindle",
    "target_alteration",
    "pi3k_akt_mtor",
    "mapk_erk",
    "rtk_bypass",
    "wnt",
    "emt",
    "hypoxia",
    "metabolism",
    "detox",
    "epigenetic",
    "stemness",
    "immune_evasion",
    "microenvironment",
    "heterogeneity",
];

#[test]
fn the_builtin_catalogue_is_complete() {
    let catalogue = builtin();
    assert_eq!(catalogue.list.iter().map(|mechanism| mechanism.id.as_str()).collect::<Vec<_>>(), IDS);
    let table: toml::Table = toml::from_str(BUILTIN).unwrap();
    for (mechanism, written) in catalogue.list.iter().zip(table["mechanism"].as_array().unwrap()) {
        let id = &mechanism.id;
        assert!(!mechanism.sections.is_empty(), "{id} has no section of the review");
        assert!(
            (2..=4).contains(&mechanism.summary.matches(". ").count().saturating_add(1)),
            "{id}: summary"
        );
        assert!(written.get("classes").is_some(), "{id} does not say which drugs it concerns");
        assert!(!mechanism.strategies.is_empty(), "{id} has no strategy");
        assert!(
            (8..=30).contains(&mechanism.genes().count()),
            "{id} has {} genes",
            mechanism.genes().count()
        );
        for reference in &mechanism.references {
            let known = ["https://doi.org/10.", "https://pubmed.ncbi.nlm.nih.gov/"];
            assert!(known.iter().any(|start| reference.url.starts_with(start)), "{id}: {}", reference.url);
        }
    }
    let kinds: std::collections::HashSet<StrategyKind> = catalogue
        .list
        .iter()
        .flat_map(|mechanism| &mechanism.strategies)
        .map(|strategy| strategy.kind)
        .collect();
    assert_eq!(kinds.len(), 7, "a kind of the review's Table 1 has no strategy");
}

#[test]
fn a_catalogue_survives_being_stored() {
    let catalogue = builtin();
    let json = serde_json::to_string(&catalogue).unwrap();
    assert_eq!(serde_json::from_str::<Mechanisms>(&json).unwrap(), catalogue);
    assert_eq!(Mechanisms::parse(&toml::to_string(&catalogue).unwrap()).unwrap(), catalogue);
    // A model that was stored when the catalogue had only genes.
    let old = r#"{"mechanism":[{"id":"a","name":"A","up":["TP53"],"down":[],"altered":[]}]}"#;
    assert_eq!(serde_json::from_str::<Mechanisms>(old).unwrap().list[0].up, ["TP53"]);
}

/// Associations known from the literature and present in GDSC1 or GDSC2: kind, feature, drug, direction.
const BIOMARKERS: [(&str, &str, &str, Direction); 38] = {
    use Direction::{Resistant, Sensitive};
    [
        ("expression", "SLFN11", "Cisplatin", Sensitive),
        ("expression", "ABCB1", "Docetaxel", Resistant),
        ("expression", "EGFR", "Erlotinib", Sensitive),
        ("expression", "SLFN11", "Gemcitabine", Sensitive),
        ("expression", "MDM2", "Nutlin-3a (-)", Sensitive),
        ("expression", "RPS27L", "Nutlin-3a (-)", Sensitive),
        ("expression", "SLFN11", "SN-38", Sensitive),
        ("expression", "SLFN11", "Irinotecan", Sensitive),
        ("expression", "DUSP6", "Selumetinib", Sensitive),
        ("expression", "SLFN11", "Talazoparib", Sensitive),
        ("expression", "NQO1", "Tanespimycin", Sensitive),
        ("expression", "DUSP6", "Trametinib", Sensitive),
        ("expression", "SPRY4", "Trametinib", Sensitive),
        ("expression", "ABCB1", "Vinblastine", Resistant),
        ("expression", "ABCB1", "Vinorelbine", Resistant),
        ("expression", "BCL2", "ABT737", Sensitive),
        ("expression", "BCL2", "Venetoclax", Sensitive),
        ("events", "PTEN_mut", "AZD6482", Sensitive),
        ("events", "PIK3CA_mut", "Alpelisib", Sensitive),
        ("events", "PIK3CA_mut", "Pictilisib", Sensitive),
        ("events", "BRAF_mut", "Dabrafenib", Sensitive),
        ("events", "BRAF_mut", "PLX-4720", Sensitive),
        ("events", "BRAF_mut", "Refametinib", Sensitive),
        ("events", "BRAF_mut", "SB590885", Sensitive),
        ("events", "BCR-ABL_mut", "Dasatinib", Sensitive),
        ("events", "BCR-ABL_mut", "Nilotinib", Sensitive),
        ("events", "BCR-ABL_mut", "Ponatinib", Sensitive),
        ("events", "KRAS_mut", "Gefitinib", Resistant),
        ("events", "KRAS_mut", "PD0325901", Sensitive),
        ("events", "KRAS_mut", "Selumetinib", Sensitive),
        ("events", "NRAS_mut", "Trametinib", Sensitive),
        ("events", "TP53_mut", "Nutlin-3a (-)", Resistant),
        ("events", "EWSR1-FLI1_mut", "Talazoparib", Sensitive),
        ("events", "STAG2_mut", "Talazoparib", Sensitive),
        // Not in the screens' list, but well known.
        ("expression", "ERBB2", "Lapatinib", Sensitive),
        ("events", "loss_cnaPANCAN389_(RB1)", "Palbociclib", Resistant),
        ("events", "loss_cnaX_(CDKN2A)", "Palbociclib", Sensitive),
        ("expression", "MCL1", "Venetoclax", Resistant),
    ]
};

#[test]
fn known_biomarkers_point_the_way_that_the_screens_show() {
    let catalogue = builtin();
    let mut silent = Vec::new();
    for (kind, feature, drug, direction) in BIOMARKERS {
        let classes = catalogue.classes_of(drug, "", "");
        assert!(!classes.is_empty(), "{drug} has no class");
        let mut concerned = false;
        for reading in catalogue.genes_of_feature(kind, feature) {
            for mechanism in &catalogue.list {
                let found = mechanism.expected(&reading.gene, reading.sense, &classes);
                assert!(found.is_none_or(|found| found == direction), "{feature}, {drug}: {}", mechanism.id);
                concerned |= found.is_some() && mechanism.concerns(&classes);
            }
        }
        if !concerned {
            silent.push((feature, drug));
        }
    }
    println!("{} agree, {} without a direction", BIOMARKERS.len() - silent.len(), silent.len());
    assert_eq!(silent, [("", ""); 0]);
}

#[test]
fn the_lists_decide_where_no_exception_does() {
    let catalogue = builtin();
    let expected = |id: &str, gene: &str, sense: Sense| {
        catalogue.mechanism(id).unwrap().expected(gene, sense, &catalogue.classes_of("Doxorubicin", "", ""))
    };
    assert_eq!(expected("efflux", "ABCB1", Sense::More), Some(Direction::Resistant));
    assert_eq!(expected("efflux", "ABCB1", Sense::Less), Some(Direction::Sensitive));
    assert_eq!(expected("efflux", "ABCB1", Sense::Altered), None);
    assert_eq!(expected("pi3k_akt_mtor", "PTEN", Sense::Less), Some(Direction::Resistant));
    assert_eq!(expected("pi3k_akt_mtor", "PTEN", Sense::More), Some(Direction::Sensitive));
    assert_eq!(expected("pi3k_akt_mtor", "PTEN", Sense::Altered), Some(Direction::Resistant));
    assert_eq!(expected("cell_cycle", "TP53", Sense::Altered), Some(Direction::Resistant));
    assert_eq!(expected("cell_cycle", "TP53", Sense::More), None);
    assert_eq!(expected("mapk_erk", "DUSP6", Sense::More), Some(Direction::Resistant));
    assert_eq!(expected("mapk_erk", "ABCB1", Sense::More), None);
    let members = Mechanism { members: vec!["TP53".into()], ..Mechanism::default() };
    assert_eq!(members.expected("TP53", Sense::More, &[]), None);
}

#[test]
fn exceptions_that_disagree_say_nothing() {
    let exception = |class: &str, direction: &str| {
        format!(
            "[[mechanism.exception]]\nclasses = [\"{class}\"]\ngenes = [\"EGFR\"]\nwhen = \"more\"\n\
             direction = \"{direction}\"\nwhy = \"w\"\nreference = \"r\"\n"
        )
    };
    let text =
        one("a", "up = [\"EGFR\"]") + &exception("egfr", "sensitive") + &exception("her2", "resistant");
    let catalogue = Mechanisms::parse(&text).unwrap();
    let expected =
        |drug: &str| catalogue.list[0].expected("EGFR", Sense::More, &catalogue.classes_of(drug, "", ""));
    assert_eq!(expected("Erlotinib"), Some(Direction::Sensitive));
    assert_eq!(expected("Trastuzumab"), Some(Direction::Resistant));
    assert_eq!(expected("Lapatinib"), None);
}

#[test]
fn catalogues_with_mistakes_are_refused() {
    assert_eq!(message(&one("a", "up = [\"TP53\", \"TP53\"]")).0, "mechanism \"a\" names \"TP53\" twice");
    let twice = one("a", "up = [\"TP53\"]") + &one("a", "up = [\"RB1\"]");
    assert_eq!(message(&twice).0, "two mechanisms have the id \"a\"");
    assert_eq!(message("mechanism = []").0, "the catalogue has no mechanisms");
    assert!(
        message("mechanism = [").0.starts_with("invalid catalogue of mechanisms: TOML parse error at line 1")
    );
    assert_eq!(message("mechanism = 3").0, "mechanism is not a list of entries: expected [[mechanism]]");
    let (error, help) = message(&one("a", "up = [\"TP53\"]\nupp = [\"RB1\"]"));
    assert!(
        error.starts_with("mechanism \"a\": unknown field `upp`, expected one of `id`, `name`"),
        "{error}"
    );
    assert_eq!(help, "did you mean up?");
    let (error, help) = message("mechanisms = []");
    assert!(
        error.starts_with("the catalogue has an unknown key \"mechanisms\": expected \"mechanism\""),
        "{error}"
    );
    assert_eq!(help, "did you mean mechanism?");
    let (error, help) = message("[[mechanism]]\nname = \"x\"");
    assert_eq!((error.as_str(), help.as_str()), ("mechanism number 1: missing field `id`", "add id = …"));
    let (error, _) = message(&one("a", "up = \"TP53\""));
    assert!(
        error.starts_with("mechanism \"a\": invalid type: string \"TP53\", expected a sequence"),
        "{error}"
    );
    let error = Mechanisms::named("/nowhere/m.toml").unwrap_err();
    assert_eq!(error.to_string(), "mechanisms = \"/nowhere/m.toml\": the catalogue cannot be read");
}

#[test]
fn genes_must_be_known_and_have_a_direction() {
    let unknown = "expected an approved HGNC gene symbol";
    for (gene, advice) in [
        ("MDR1", "MDR1 is an old symbol of ABCB1: write ABCB1"),
        ("FLJ34922", "FLJ34922 is an alias of SLFN11: write SLFN11"),
        ("BCL-XL", "did you mean BCL2L1?"),
        ("SLFNN11", "did you mean SLFN11?"),
        ("tp53", "did you mean TP53?"),
        ("nothing like it", "write the approved symbol"),
    ] {
        let (error, help) = message(&one("a", &format!("altered = [\"{gene}\"]")));
        assert_eq!(error, format!("mechanism \"a\": altered = {gene:?}: {unknown}"));
        assert!(help.starts_with(advice), "{help}");
    }
    let also = one("a", "up = [\"MYGENE1\"]") + "[genes]\nalso = [\"MYGENE1\"]";
    assert_eq!(Mechanisms::parse(&also).unwrap().list[0].up, ["MYGENE1"]);
    let no_gene = "mechanism \"a\" has no genes: expected at least one in up, down or altered";
    assert_eq!(message(&one("a", "")).0, no_gene);
    assert_eq!(message(&one("a", "markers = [\"DUSP6\"]")).0, no_gene);
    let (error, help) = message(&one("a", "members = [\"TP53\"]"));
    assert_eq!(error, "mechanism \"a\": members has \"TP53\", a gene without a direction");
    assert!(help.starts_with("put it under up, down or altered"), "{help}");
    let synonym = one("a", "up = [\"TP53\"]") + "[synonyms]\nP53 = [\"P53x\"]";
    assert_eq!(message(&synonym).0, format!("synonym \"P53\": genes = \"P53x\": {unknown}"));
    let empty = one("a", "up = [\"TP53\"]") + "[synonyms]\nP53 = []";
    assert_eq!(message(&empty).0, "synonym \"P53\": genes is empty: expected the genes of the synonym");
}

#[test]
fn sources_and_strategies_must_be_given() {
    let up = "up = [\"TP53\"]\n";
    let without =
        |references: &str| message(&format!("[[mechanism]]\nid = \"a\"\nname = \"x\"\n{up}{references}")).0;
    let missing = "mechanism \"a\": references is empty: expected at least one source: { text = …, url = … }";
    assert_eq!(without(""), missing);
    assert_eq!(without("references = []"), missing);
    assert_eq!(
        without("references = [{ text = \"A\", url = \"10.1/x\" }]"),
        "mechanism \"a\": references.url = \"10.1/x\": expected an address on the web"
    );
    assert_eq!(
        without("references = [{ text = \" \", url = \"https://x\" }]"),
        "mechanism \"a\": references.text is empty: expected some text"
    );
    assert!(without("references = [{ text = \"A\" }]").starts_with("mechanism \"a\": missing field `url`"));
    let strategy = |fields: &str| message(&one("a", &format!("{up}strategies = [{{ {fields} }}]")));
    assert_eq!(
        strategy("text = \"t\", kind = \"targeted\", reference = \"\"").0,
        "mechanism \"a\": strategies.reference is empty: expected some text"
    );
    let (error, help) = strategy("text = \"t\", kind = \"targetted\", reference = \"r\"");
    assert!(
        error.starts_with("mechanism \"a\": unknown variant `targetted`, expected one of `targeted`"),
        "{error}"
    );
    assert_eq!(help, "did you mean targeted?");
}

#[test]
fn classes_must_be_known() {
    let up = "up = [\"TP53\"]\n";
    let (error, help) = message(&one("a", &format!("{up}classes = [\"platinim\"]")));
    assert_eq!(error, "mechanism \"a\": classes = \"platinim\": expected the id of a [[class]]");
    assert_eq!(help, "did you mean platinum?");
    let class = |text: &str| message(&(one("a", up) + text)).0;
    assert_eq!(
        class("[[class]]\nid = \"c\"\nname = \"C\"\n".repeat(2).as_str()),
        "two classes have the id \"c\""
    );
    assert_eq!(
        class("[[class]]\nid = \"all\"\nname = \"C\""),
        "class \"all\": the id \"all\" is reserved for every class"
    );
    assert_eq!(
        class("[[class]]\nid = \"c\"\nname = \"C\"\nwithin = \"d\""),
        "class \"c\": within = \"d\": expected the id of a [[class]]"
    );
    assert_eq!(
        class("[[class]]\nid = \"c\"\nname = \"C\"\nwithin = \"c\""),
        "class \"c\": within = \"c\": expected a class that is not itself within another class"
    );
    assert_eq!(
        class("[[class]]\nid = \"c\"\nname = \"C\"\ndrugs = [\"X\", \"X\"]"),
        "class \"c\": drugs names \"X\" twice"
    );
    assert!(class("[[class]]\nid = \"c\"\nnam = \"C\"").starts_with("class \"c\": unknown field `nam`"));
}

#[test]
fn exceptions_must_be_whole() {
    let whole = [
        ("classes", "[\"egfr\"]"),
        ("genes", "[\"TP53\"]"),
        ("when", "\"more\""),
        ("direction", "\"sensitive\""),
        ("why", "\"w\""),
        ("reference", "\"r\""),
    ];
    let with = |change: &str, to: Option<&str>| {
        let value = |key: &str, value: &'static str| {
            if key == change { to.map(str::to_string) } else { Some(value.into()) }
        };
        let line =
            |(key, set): (&str, &'static str)| value(key, set).map(|value| format!("{key} = {value}\n"));
        let lines: String = whole.into_iter().filter_map(line).collect();
        one("a", "up = [\"TP53\"]") + "[[mechanism.exception]]\n" + &lines
    };
    assert!(Mechanisms::parse(&with("", None)).is_ok());
    for (key, _) in whole {
        let (error, help) = message(&with(key, None));
        assert!(error.starts_with(&format!("mechanism \"a\": missing field `{key}`")), "{error}");
        assert_eq!(help, format!("add {key} = …"));
    }
    let place = "mechanism \"a\", exception 1";
    assert!(message(&with("direction", Some("\"resist\""))).0.contains("unknown variant `resist`"));
    assert_eq!(
        message(&with("classes", Some("[\"egf\"]"))).0,
        format!("{place}: classes = \"egf\": expected the id of a [[class]]")
    );
    assert_eq!(
        message(&with("genes", Some("[]"))).0,
        format!("{place}: genes is empty: expected the genes of the exception")
    );
    assert_eq!(message(&with("why", Some("\"\""))).0, format!("{place}: why is empty: expected some text"));
    let again = with("", None) + with("", None).split_once("[[mechanism.exception]]").unwrap().1;
    assert!(message(&again).0.contains("duplicate key"));
    let entry = with("", None).split_once("[[mechanism.exception]]").unwrap().1.to_string();
    assert_eq!(
        message(&(with("", None) + "[[mechanism.exception]]" + &entry)).0,
        "mechanism \"a\", exception 2 repeats the state of \"TP53\" for the same class of drugs"
    );
}

#[test]
fn a_catalogue_without_classes_takes_the_builtin_ones() {
    let own = Mechanisms::parse(&one("a", "up = [\"TP53\"]\nclasses = [\"mek\"]")).unwrap();
    assert_eq!((own.classes, own.synonyms), (builtin().classes, builtin().synonyms));
    let text = one("a", "up = [\"TP53\"]") + "[[class]]\nid = \"c\"\nname = \"C\"\n[synonyms]\nX = [\"RB1\"]";
    let own = Mechanisms::parse(&text).unwrap();
    assert_eq!((own.classes.len(), own.synonyms.len()), (1, 1));
}

#[test]
fn drugs_of_the_screens_are_in_the_classes_that_are_known_for_them() {
    let catalogue = builtin();
    let ids = |name: &str, targets: &str, pathway: &str| -> Vec<String> {
        catalogue.classes_of(name, targets, pathway).iter().map(|class| class.id.clone()).collect()
    };
    assert_eq!(ids("venetoclax", "", ""), ["bcl2"]);
    assert_eq!(ids("Bleomycin (50 uM)", "", ""), ["cytotoxic", "dna_break"]);
    assert_eq!(ids("Lapatinib", "ERBB2, EGFR", "EGFR signaling"), ["kinase", "egfr", "her2"]);
    assert_eq!(
        ids("Dactolisib", "PI3K (Class 1), MTORC1, MTORC2", "PI3K/MTOR signaling"),
        ["kinase", "pi3k", "mtor"]
    );
    assert_eq!(ids("x", "BTK,MET", ""), ["kinase", "met", "btk"]);
    assert_eq!(
        ids("Vorinostat", "HDAC inhibitor Class I, IIa, IIb, IV", "Chromatin histone acetylation"),
        ["hdac"]
    );
    assert_eq!(ids("17-AAG", "HSP90", ""), ["hsp90", "ansamycin"]);
    assert_eq!(ids("", "", ""), [""; 0]);
    assert_eq!(ids("(-)", "()", " , "), [""; 0]);
}

#[test]
fn no_text_makes_the_readers_panic() {
    let gmt = "A\thttps://a\tTP53\tMLL2\nB\tb\tRB1,1.0\n";
    let toml = one("a", "up = [\"TP53\"]\nclasses = [\"mek\"]") + "[synonyms]\nX = [\"RB1\"]";
    let odd =
        ["\t", "\n", "\"", "[", "]", "=", "é", "\u{feff}", "\0", "<", "(", ")", ",", "_mut", "gain_", ""];
    let catalogue = builtin();
    for round in 0..400_u64 {
        let seed = Seed::new(7).derive(round);
        let pick = |label: u64, below: usize| (seed.derive(label).value() % below as u64) as usize;
        let mutated = |text: &str| {
            let letters: Vec<char> = text.chars().collect();
            let (from, length) = (pick(0, letters.len()), pick(1, 9));
            let (start, rest) = (&letters[..from], &letters[(from + length).min(letters.len())..]);
            format!(
                "{}{}{}",
                start.iter().collect::<String>(),
                odd[pick(2, odd.len())],
                rest.iter().collect::<String>()
            )
        };
        let _ = parse_gmt(&mutated(gmt), "f");
        let _ = Mechanisms::parse(&mutated(&toml));
        let _ = catalogue.genes_of_feature("events", &mutated("gain_cnaPANCAN124_(EGFR,MET)"));
        let _ = catalogue.classes_of(
            &mutated("Nutlin-3a (-)"),
            &mutated("PDK1 (PDPK1), MET"),
            &mutated("Mitosis"),
        );
    }
}

/// The drugs of the dataset that ships with halfmax: name, targets, target pathway.
fn shipped_drugs() -> Vec<[String; 3]> {
    let text = std::str::from_utf8(halfmax_datasets::GDSC_CORE_DRUGS).unwrap();
    let columns = |line: &str| -> Vec<String> {
        let mut quoted = false;
        let split = line.split(|letter| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        });
        split.map(|column| column.trim_matches('"').to_string()).collect()
    };
    let drug = |line: &str| -> Option<[String; 3]> {
        let [name, _, targets, pathway]: [String; 4] = columns(line).try_into().ok()?;
        Some([name, targets, pathway])
    };
    text.lines().skip(1).map(|line| drug(line).unwrap()).collect()
}

#[test]
fn every_shipped_drug_has_a_class_by_its_name_and_by_its_targets() {
    let catalogue = builtin();
    let drugs = shipped_drugs();
    assert_eq!(drugs.len(), 63);
    for [name, targets, pathway] in &drugs {
        let by_name = catalogue.classes_of(name, "", "");
        let by_targets = catalogue.classes_of("", targets, pathway);
        assert!(!by_name.is_empty(), "{name}");
        // A screen's targets may add classes, but they never remove a class that the name gives.
        let specific = by_name.iter().filter(|class| !class.targets.is_empty() && class.id != "kinase");
        let found = specific.filter(|class| targets.split(", ").any(|target| has(&class.targets, target)));
        assert!(found.into_iter().all(|class| by_targets.contains(class)), "{name}: {targets}");
    }
}
