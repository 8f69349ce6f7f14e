/* Preloaded, makes the kernel look as if it lacked what the variable LACK names: what is asked of that part is asked of
   one that no kernel has, so that the kernel itself refuses it, in the words it has for that. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* "redir" is the expression of the module nft_redir. */
static void without_redirect(char *message, size_t length)
{
    char *name;
    while ((name = memmem(message, length, "redir", sizeof "redir")) != NULL)
        memcpy(name, "nobod", 5);
}

/* Subsystem 10 is nf_tables. A transaction names it behind its header. */
static void without_nf_tables(struct nlmsghdr *message)
{
    unsigned short *subsystem = (unsigned short *)((char *)message + NLMSG_HDRLEN + 2);
    if (message->nlmsg_type >> 8 == 10)
        message->nlmsg_type = 0xf0;
    else if (message->nlmsg_type == 16 && *subsystem == htons(10))
        *subsystem = 0;
}

/* From 32 on, for 4 numbers, types are about policy rules. */
static void without_policy_rules(struct nlmsghdr *message)
{
    if (message->nlmsg_type >> 2 == 32 >> 2)
        message->nlmsg_type = 0xfff0;
}

static void change(char *bytes, size_t length)
{
    const char *lack = getenv("LACK");
    if (lack == NULL)
        return;
    if (strcmp(lack, "redirect") == 0)
        without_redirect(bytes, length);
    for (size_t at = 0; at + NLMSG_HDRLEN + 4 <= length;) {
        struct nlmsghdr *message = (struct nlmsghdr *)(bytes + at);
        if (message->nlmsg_len < NLMSG_HDRLEN)
            return;
        if (strcmp(lack, "nf_tables") == 0)
            without_nf_tables(message);
        if (strcmp(lack, "policy-rules") == 0)
            without_policy_rules(message);
        at += NLMSG_ALIGN(message->nlmsg_len);
    }
}

ssize_t sendto(int socket, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    ssize_t (*real)(int, const void *, size_t, int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "sendto");
    if (to == NULL || to->sa_family != AF_NETLINK)
        return real(socket, bytes, length, flags, to, to_length);
    char *copy = malloc(length);
    if (copy == NULL)
        abort();
    memcpy(copy, bytes, length);
    change(copy, length);
    ssize_t sent = real(socket, copy, length, flags, to, to_length);
    free(copy);
    return sent;
}
