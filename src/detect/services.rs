//! Which TCP ports have a known service, and which are known for something worse.
//!
//! A selection of IANA's registry of service names and port numbers: the system ports (below 1024) are
//! all taken as services, from the rest those that are met in practice, with what vendors use without
//! registration (RFC 6335 calls ports from 49152 dynamic; a service there is never "known").

/// Sorted by port.
const SERVICES: &[(u16, &str)] = &[
    (7, "echo"),
    (19, "chargen"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (37, "time"),
    (43, "whois"),
    (49, "tacacs"),
    (53, "dns"),
    (69, "tftp"),
    (79, "finger"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (111, "rpcbind"),
    (113, "ident"),
    (119, "nntp"),
    (123, "ntp"),
    (135, "msrpc"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (139, "netbios-ssn"),
    (143, "imap"),
    (161, "snmp"),
    (162, "snmptrap"),
    (179, "bgp"),
    (194, "irc"),
    (389, "ldap"),
    (427, "svrloc"),
    (443, "https"),
    (445, "smb"),
    (464, "kpasswd"),
    (465, "smtps"),
    (500, "isakmp"),
    (502, "modbus"),
    (512, "exec"),
    (513, "login"),
    (514, "shell"),
    (515, "printer"),
    (520, "rip"),
    (543, "klogin"),
    (544, "kshell"),
    (548, "afp"),
    (554, "rtsp"),
    (563, "nntps"),
    (587, "submission"),
    (593, "http-rpc"),
    (623, "ipmi"),
    (631, "ipp"),
    (636, "ldaps"),
    (646, "ldp"),
    (749, "kerberos-adm"),
    (853, "dns-over-tls"),
    (873, "rsync"),
    (902, "vmware-auth"),
    (989, "ftps-data"),
    (990, "ftps"),
    (992, "telnets"),
    (993, "imaps"),
    (995, "pop3s"),
    (1080, "socks"),
    (1194, "openvpn"),
    (1433, "ms-sql"),
    (1434, "ms-sql-m"),
    (1494, "citrix-ica"),
    (1521, "oracle"),
    (1645, "radius"),
    (1701, "l2tp"),
    (1720, "h323"),
    (1723, "pptp"),
    (1755, "mms"),
    (1812, "radius"),
    (1863, "msnp"),
    (1883, "mqtt"),
    (1900, "ssdp"),
    (1935, "rtmp"),
    (2000, "sccp"),
    (2049, "nfs"),
    (2082, "cpanel"),
    (2083, "cpanel-ssl"),
    (2086, "whm"),
    (2087, "whm-ssl"),
    (2181, "zookeeper"),
    (2222, "ethernet-ip"),
    (2375, "docker"),
    (2376, "docker-tls"),
    (2379, "etcd"),
    (2380, "etcd-peer"),
    (2404, "iec-104"),
    (2483, "oracle"),
    (2484, "oracle-tls"),
    (2598, "citrix-cgp"),
    (2638, "sybase"),
    (2869, "upnp"),
    (3000, "http-dev"),
    (3050, "firebird"),
    (3128, "http-proxy"),
    (3260, "iscsi"),
    (3268, "ldap-gc"),
    (3269, "ldaps-gc"),
    (3283, "apple-remote"),
    (3306, "mysql"),
    (3389, "rdp"),
    (3478, "stun"),
    (3690, "svn"),
    (3702, "ws-discovery"),
    (3724, "blizzard"),
    (4369, "epmd"),
    (4500, "ipsec-nat-t"),
    (4713, "pulseaudio"),
    (4840, "opc-ua"),
    (4899, "radmin"),
    (5000, "upnp-http"),
    (5001, "iperf"),
    (5004, "rtp"),
    (5005, "rtcp"),
    (5060, "sip"),
    (5061, "sips"),
    (5190, "aim"),
    (5201, "iperf3"),
    (5222, "xmpp-client"),
    (5223, "xmpp-tls"),
    (5228, "google-push"),
    (5269, "xmpp-server"),
    (5353, "mdns"),
    (5355, "llmnr"),
    (5357, "wsdapi"),
    (5432, "postgresql"),
    (5500, "vnc-listen"),
    (5601, "kibana"),
    (5671, "amqps"),
    (5672, "amqp"),
    (5683, "coap"),
    (5800, "vnc-http"),
    (5900, "vnc"),
    (5901, "vnc"),
    (5938, "teamviewer"),
    (5984, "couchdb"),
    (5985, "winrm"),
    (5986, "winrm-tls"),
    (6000, "x11"),
    (6001, "x11"),
    (6379, "redis"),
    (6443, "kubernetes"),
    (6514, "syslog-tls"),
    (6660, "irc"),
    (6665, "irc"),
    (6666, "irc"),
    (6667, "irc"),
    (6668, "irc"),
    (6669, "irc"),
    (6697, "ircs"),
    (6881, "bittorrent"),
    (7000, "afs"),
    (7001, "weblogic"),
    (7070, "realserver"),
    (7547, "cwmp"),
    (8000, "http-alt"),
    (8006, "proxmox"),
    (8008, "http-alt"),
    (8009, "ajp"),
    (8010, "http-alt"),
    (8080, "http-proxy"),
    (8081, "http-alt"),
    (8083, "http-alt"),
    (8086, "influxdb"),
    (8088, "http-alt"),
    (8089, "splunk"),
    (8140, "puppet"),
    (8181, "http-alt"),
    (8333, "bitcoin"),
    (8443, "https-alt"),
    (8500, "consul"),
    (8530, "wsus"),
    (8531, "wsus-tls"),
    (8554, "rtsp-alt"),
    (8883, "mqtts"),
    (8888, "http-alt"),
    (9000, "http-alt"),
    (9042, "cassandra"),
    (9050, "tor-socks"),
    (9080, "http-alt"),
    (9090, "http-alt"),
    (9092, "kafka"),
    (9093, "kafka"),
    (9100, "jetdirect"),
    (9200, "elasticsearch"),
    (9300, "elasticsearch"),
    (9389, "adws"),
    (9418, "git"),
    (9443, "https-alt"),
    (10_000, "webmin"),
    (10_050, "zabbix"),
    (10_051, "zabbix"),
    (10_250, "kubelet"),
    (11_211, "memcached"),
    (15_672, "rabbitmq"),
    (19_132, "minecraft"),
    (19_999, "dnp3-sec"),
    (20_000, "dnp3"),
    (25_565, "minecraft"),
    (25_575, "minecraft-rcon"),
    (27_015, "steam"),
    (27_017, "mongodb"),
    (32_400, "plex"),
    (44_818, "ethernet-ip"),
    (47_808, "bacnet"),
];

/// Ports that back doors and their kits listen on unless told otherwise. Sorted.
const BACKDOORS: &[(u16, &str)] = &[
    (1337, "\"leet\", chosen by many shells"),
    (1524, "ingreslock shell"),
    (4444, "Metasploit's default listener"),
    (5555, "Android debug bridge and several trojans"),
    (6200, "vsftpd 2.3.4 back door"),
    (6666, "IRC bots"),
    (6667, "IRC, also of bots"),
    (9001, "Tor relays and several trojans"),
    (12_345, "NetBus"),
    (20_034, "NetBus 2"),
    (27_374, "SubSeven"),
    (31_337, "Back Orifice"),
    (54_320, "Back Orifice 2000"),
    (54_321, "Back Orifice 2000"),
];

/// Where the ports begin that any program may take (RFC 6335).
pub(super) const SYSTEM_PORTS: u16 = 1024;

fn look_up(table: &[(u16, &'static str)], port: u16) -> Option<&'static str> {
    table.binary_search_by_key(&port, |(port, _)| *port).ok().and_then(|place| table.get(place)).map(|(_, name)| *name)
}

/// The usual service of a port.
#[must_use]
pub(super) fn service_name(port: u16) -> Option<&'static str> {
    look_up(SERVICES, port)
}

/// A service is to be expected there.
#[must_use]
pub(super) fn is_known(port: u16) -> bool {
    (1..SYSTEM_PORTS).contains(&port) || service_name(port).is_some()
}

/// What a port is ill-famed for.
#[must_use]
pub(super) fn backdoor(port: u16) -> Option<&'static str> {
    look_up(BACKDOORS, port)
}

/// A port with the name of its service: `25565 (minecraft)`.
#[must_use]
pub(super) fn named(port: u16) -> String {
    service_name(port).map_or_else(|| port.to_string(), |name| format!("{port} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_name_no_port_twice() {
        for table in [SERVICES, BACKDOORS] {
            assert!(table.is_sorted_by(|a, b| a.0 < b.0), "{:?}", table.windows(2).find(|pair| pair[0].0 >= pair[1].0));
        }
    }

    #[test]
    fn ports_by_iana() {
        assert_eq!((service_name(443), service_name(3389)), (Some("https"), Some("rdp")));
        assert!(is_known(700) && !is_known(0) && !is_known(1024) && !is_known(7084));
        assert!(backdoor(31_337).is_some() && backdoor(443).is_none());
    }
}
