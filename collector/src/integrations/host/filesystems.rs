//! Which file systems this machine has mounted, how full they are, and what their devices transferred.
//!
//! The list is read here and not by `sysinfo`, which asks every mount that it lists for its size: one dead FUSE mount
//! would hang it. Here a mount is chosen first and asked then.

use std::{collections::HashMap, fs, io::Read, path::Path};

use super::patterns::Patterns;

/// Most file systems that are told.
const MOST: usize = 256;
/// Longest table that is read, in bytes.
const LONGEST_TABLE: u64 = 4 * 1024 * 1024;
/// The unit of /proc/diskstats, whatever the device's own sector is.
const SECTOR: u64 = 512;

/// One file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) mount_point: String,
    pub(super) device: String,
    pub(super) kind: String,
    pub(super) size: u64,
    pub(super) used: u64,
    pub(super) available: u64,
    /// Bytes read and written by the device, where it is known which one it is.
    pub(super) transferred: Option<(u64, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: String,
    device: String,
    kind: String,
}

/// Where the machine's `/` is seen from here.
///
/// In a container it is what the machine's `/` is mounted on; what is mounted elsewhere is the container's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root(String);

impl Root {
    /// Takes an absolute path.
    ///
    /// # Errors
    /// It is none, with what to write.
    pub(super) fn new(path: &str) -> Result<Self, String> {
        if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
            return Err("an absolute path is wanted, such as `/host`".to_owned());
        }
        Ok(Self(path.trim_end_matches('/').to_owned()))
    }

    /// What the machine calls a place that is called `point` here; nothing where it is not the machine's.
    fn inside(&self, point: &str) -> Option<String> {
        match point.strip_prefix(self.0.as_str())? {
            "" => Some("/".to_owned()),
            inside if inside.starts_with('/') => Some(inside.to_owned()),
            _ => None,
        }
    }

    /// What a place of the machine is called here.
    fn outside(&self, point: &str) -> String {
        match (self.0.as_str(), point) {
            ("", _) => point.to_owned(),
            (root, "/") => root.to_owned(),
            (root, _) => format!("{root}{point}"),
        }
    }
}

/// Reads all that are wanted. Blocks for as long as the slowest of them does.
pub(super) fn read(network: bool, ignore: &Patterns, root: &Root) -> Vec<Disk> {
    let transferred = transferred(&table("/proc/diskstats"));
    choose(&table("/proc/self/mountinfo"), network, ignore, root)
        .into_iter()
        .filter_map(|mount| measure(mount, &transferred, root))
        .collect()
}

fn table(path: &str) -> String {
    let mut text = String::new();
    match fs::File::open(path).and_then(|file| file.take(LONGEST_TABLE).read_to_string(&mut text)) {
        Ok(_) => text,
        // not Linux, or not allowed: nothing is known
        Err(_) => String::new(),
    }
}

fn measure(mount: Mount, transferred: &HashMap<String, (u64, u64)>, root: &Root) -> Option<Disk> {
    let stat = rustix::fs::statvfs(root.outside(&mount.point).as_str()).ok()?;
    let size = stat.f_blocks.saturating_mul(stat.f_frsize);
    if size == 0 {
        return None;
    }
    let name = mount.device.starts_with("/dev/").then(|| {
        let real = fs::canonicalize(root.outside(&mount.device))
            .unwrap_or_else(|_| Path::new(&mount.device).to_owned());
        real.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    });
    Some(Disk {
        size,
        used: stat
            .f_blocks
            .saturating_sub(stat.f_bfree)
            .saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
        transferred: name
            .flatten()
            .and_then(|name| transferred.get(&name).copied()),
        mount_point: mount.point,
        device: mount.device,
        kind: mount.kind,
    })
}

/// The mounts that a person would call a disk, from the text of /proc/self/mountinfo: one for each device, by mount point.
fn choose(mountinfo: &str, network: bool, ignore: &Patterns, root: &Root) -> Vec<Mount> {
    let mut by_device: HashMap<(String, String), Mount> = HashMap::new();
    for mut mount in mountinfo.lines().filter_map(parse) {
        let Some(point) = root.inside(&mount.point) else {
            continue;
        };
        mount.point = point;
        if !is_wanted(&mount, network) || ignore.matches(&mount.point) {
            continue;
        }
        // a bind mount or a subvolume shows the same file system once more
        let key = (mount.device.clone(), mount.kind.clone());
        match by_device.get(&key) {
            Some(kept) if shorter(kept, &mount) => {}
            _ => {
                by_device.insert(key, mount);
            }
        }
    }
    let mut mounts: Vec<_> = by_device.into_values().collect();
    mounts.sort_by(|a, b| a.point.cmp(&b.point));
    mounts.truncate(MOST);
    mounts
}

fn shorter(a: &Mount, b: &Mount) -> bool {
    (a.point.len(), &a.point) <= (b.point.len(), &b.point)
}

/// One line: `36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/sda1 rw`; the fields after the sixth end at
/// a lone `-` (proc(5)).
fn parse(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let point = before.split(' ').nth(4)?;
    let mut after = after.split(' ');
    let kind = after.next()?;
    let device = after.next()?;
    Some(Mount {
        point: unescape(point),
        device: unescape(device),
        kind: kind.to_owned(),
    })
}

/// The kernel writes blanks, tabs, line ends and backslashes as `\040`, `\011`, `\012` and `\134`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ")
        .replace("\\011", "\t")
        .replace("\\012", "\n")
        .replace("\\134", "\\")
}

fn is_wanted(mount: &Mount, network: bool) -> bool {
    match mount.kind.as_str() {
        // images of programs and of media: always full, never interesting
        "squashfs" | "iso9660" | "udf" | "erofs" => false,
        "zfs" | "bcachefs" | "fuse.mergerfs" | "fuse.unionfs" => true,
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "afs" | "ceph" | "glusterfs" | "9p"
        | "fuse.sshfs" | "fuse.rclone" | "fuse.glusterfs" | "fuse.cephfs" | "fuse.s3fs"
        | "fuse.davfs2" | "davfs" => network,
        _ => mount.device.starts_with("/dev/"),
    }
}

/// Bytes read and written by each device, from the text of /proc/diskstats.
fn transferred(diskstats: &str) -> HashMap<String, (u64, u64)> {
    diskstats
        .lines()
        .filter_map(|line| {
            let mut parts = line.split_whitespace();
            let name = parts.nth(2)?.to_owned();
            let read: u64 = parts.nth(2)?.parse().ok()?;
            let written: u64 = parts.nth(3)?.parse().ok()?;
            Some((
                name,
                (read.saturating_mul(SECTOR), written.saturating_mul(SECTOR)),
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = r"22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=1k
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
42 27 254:0 /srv/data /export/data rw,relatime - ext4 /dev/vda1 rw
50 27 0:45 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home
51 27 0:45 /@ /pool rw - btrfs /dev/sdb rw,subvol=/@
60 27 0:50 / /tank/media\040and\134more rw - zfs tank/media rw
61 27 0:51 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw
62 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro
63 27 0:60 / /mnt/nas rw - nfs4 nas:/volume1 rw
64 27 0:61 / /mnt/cloud rw - fuse.rclone cloud: rw
65 27 0:62 / /run/user/1000/doc rw - fuse.portal portal rw
broken line
";

    #[test]
    fn one_disk_for_each_device_and_no_pseudo_file_systems() {
        let points = |network, ignore: &[&str]| -> Vec<String> {
            let ignore = Patterns::new(ignore.iter().map(ToString::to_string).collect());
            choose(MOUNTS, network, &ignore, &Root::new("/").unwrap())
                .into_iter()
                .map(|m| m.point)
                .collect()
        };
        assert_eq!(points(false, &[]), ["/", "/home", r"/tank/media and\more"]);
        assert_eq!(
            points(true, &["/tank*"]),
            ["/", "/home", "/mnt/cloud", "/mnt/nas"]
        );
    }

    /// What a container sees whose host is mounted on /host: its own root, what Docker binds into it, and the host's.
    const IN_A_CONTAINER: &str = r"600 500 0:70 / / ro - overlay overlay ro
601 600 254:0 /var/lib/docker/containers/a/hosts /etc/hosts rw - ext4 /dev/vda1 rw
602 600 254:0 /var/lib/docker/volumes/spool/_data /data rw - ext4 /dev/vda1 rw
603 600 254:0 / /host ro,relatime master:1 - ext4 /dev/vda1 rw
604 603 0:45 /@home /host/home ro master:2 - btrfs /dev/sdb rw,subvol=/@home
605 600 254:9 / /hosting ro - ext4 /dev/vdz rw
";

    #[test]
    fn a_container_tells_the_disks_of_its_host_under_the_hosts_names() {
        let none = Patterns::default();
        let points = |root: &str| -> Vec<String> {
            choose(IN_A_CONTAINER, false, &none, &Root::new(root).unwrap())
                .into_iter()
                .map(|m| m.point)
                .collect()
        };
        assert_eq!(points("/host"), ["/", "/home"]);
        assert_eq!(points("/host/"), ["/", "/home"]);
        assert_eq!(points("/"), ["/data", "/host/home", "/hosting"]);
        let host = Root::new("/host").unwrap();
        assert_eq!(host.outside("/"), "/host");
        assert_eq!(host.outside("/dev/mapper/a"), "/host/dev/mapper/a");
        assert_eq!(Root::new("/").unwrap().outside("/dev/sda"), "/dev/sda");
        for bad in ["", "host", "/a/../.."] {
            assert!(Root::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn device_counters_are_read_in_bytes() {
        let stats =
            " 254       0 vda 10 1 2048 5 20 2 4096 7 0 9 12 0 0 0 0\n 7 0 loop0 0\nnonsense\n";
        let read = transferred(stats);
        assert_eq!(read.get("vda"), Some(&(1_048_576, 2_097_152)));
        assert_eq!(read.len(), 1);
    }

    #[test]
    fn hostile_tables_are_nothing() {
        for text in [
            "",
            " - ",
            "a b c d e - x",
            "\u{0}\u{0} - - -",
            "1 2 3 4 5 6 -",
        ] {
            assert!(
                choose(text, true, &Patterns::default(), &Root::new("/").unwrap()).is_empty(),
                "{text:?}"
            );
        }
    }
}
